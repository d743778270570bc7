"""What can go wrong when a hub is asked for a file. Owns the list of faults; `hub` commits them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """What goes wrong when a file is asked for. Byte numbers count in the whole file.

    Args:
        cut_at: close the connection before this byte.
        stall_at: send nothing from this byte on, and keep the connection open (until the hub closes).
        trickle_at: from this byte on, send one byte every tenth of a second.
        pause_s: a slow link: wait so long before each block.
        rate: a slow link: so many bytes per second.
        wrong_byte: flip this byte on the way.
        truncate_to: pretend, consistently, that the file has only so many bytes.
        extra: pretend, consistently, that these bytes follow the file's own.
        status: answer with this status instead, with `error_code` as X-Error-Code and `headers` besides.
        etag: state this tag, on the redirect too.
        ignore_range: answer 200 with the whole file to a request for a part.
        page: answer with a web page, as a company's filter or a login page does.
        unsized: the page comes without its length, and ends with the connection.
        always: it stays; otherwise it is used up by one delivery of the file.
    """

    cut_at: int | None = None
    stall_at: int | None = None
    trickle_at: int | None = None
    pause_s: float = 0
    rate: float | None = None
    wrong_byte: int | None = None
    truncate_to: int | None = None
    extra: bytes = b""
    status: int | None = None
    error_code: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    etag: str | None = None
    ignore_range: bool = False
    page: bool = False
    unsized: bool = False
    always: bool = False
