"""A share of one file from one address: ranges, and what the source says of the file before its bytes.

One try each: trying again, elsewhere or later, is the caller's.
"""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import ModelInitError, NoParts, OtherFile, ShortBody, TransientError, Unreachable
from ..file_list import ListedFile
from ..proxies import by_way_of
from .http import Answer, NoConnection, get
from .place import Place
from .refusals import by_status, gated, is_web_page, one_line, untrusted, web_page
from .shares import Share
from .throttle import Throttle

BUFFER_BYTES = 1024 * 1024
TRICKLE_BYTES_PER_S = 256


def deliver(
    place: Place, url: str, share: Share, file: ListedFile, *, stall_s: float, throttle: Throttle
) -> None:
    """Bring a share of the file.

    Raises:
        TransientError: another try may help; what came is in its place.
        ModelInitError: this source will not deliver this file, or the volume takes no more.
    """
    if not share.left:
        # somebody has taken it over meanwhile
        return
    # identity: ranges and sizes are those of the file itself, not of a compressed form
    headers = {"User-Agent": "qwen-appliance", "Accept-Encoding": "identity"}
    if share.position or not share.to_the_end:
        headers["Range"] = f"bytes={share.position}-" + ("" if share.to_the_end else str(share.stop - 1))
        if file.path in place.etags:
            headers["If-Range"] = place.etags[file.path]
    secret = {"Authorization": f"Bearer {place.token}"} if place.token else {}
    with translated(place.endpoint, stall_s), get(url, headers, secret=secret, stall_s=stall_s) as answer:
        _refuse(place, file, answer, share)
        _take(answer, share, throttle, stall_s)
    if share.left:
        raise ShortBody(f"the source ended after {share.position} of {file.size} bytes")


@contextmanager
def translated(endpoint: str, stall_s: float) -> Iterator[None]:
    """What failures of a connection mean for us."""
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise untrusted(endpoint, error) from error
    except NoConnection as error:
        if isinstance(error.__cause__, ssl.SSLCertVerificationError):
            raise untrusted(f"{endpoint}: {error.who}", error.__cause__) from error
        raise Unreachable(f"{error.who} does not answer ({one_line(error.__cause__ or error)})") from error
    except TimeoutError as error:
        way = by_way_of(endpoint)
        raise Unreachable(f"nothing, or next to nothing, came for {stall_s:g} s{way}") from error
    except (ConnectionRefusedError, socket.gaierror) as error:
        raise Unreachable(f"no answer ({one_line(error)})") from error
    except (OSError, http.client.HTTPException) as error:
        way = by_way_of(endpoint)
        raise TransientError(f"no answer ({type(error).__name__}: {one_line(error)}){way}") from error


def _take(answer: Answer, share: Share, throttle: Throttle, stall_s: float) -> None:
    """The body to where it belongs, until no more is wanted. A trickle counts as a stall, like silence."""
    buffer = memoryview(bytearray(throttle.chunk(BUFFER_BYTES)))
    since, came = time.monotonic(), 0
    while count := answer.read_into(buffer):
        more = share.write(buffer[:count])
        throttle.took(count)
        if not more:
            return
        came += count
        now = time.monotonic()
        if now - since > stall_s:
            if came < TRICKLE_BYTES_PER_S * (now - since):
                raise TimeoutError
            since, came = now, 0


def _refuse(place: Place, file: ListedFile, answer: Answer, share: Share) -> None:
    """Look at the answer before its body: raise what it means, or make the share ready for it."""
    if answer.status in (200, 206) and is_web_page(answer.headers):
        raise web_page(place, answer.status)
    if answer.status not in (200, 206, 416):
        raise _meaning(place, file, answer)
    total, start = _total_and_start(answer)
    if total is not None and total != file.size:
        raise OtherFile(f"expected {file.size} bytes, found {total} by the source's word")
    _refuse_other_digest(file, answer)
    if answer.status == 416:
        share.start_over()
        raise _meaning(place, file, answer)
    if start != share.position:
        wanted = share.position
        if start or not share.start_over():
            raise NoParts(f"asked for byte {wanted}, was given byte {start}")
    etag = answer.headers.get("etag", "")
    if etag.startswith('"'):
        place.etags[file.path] = etag


def _total_and_start(answer: Answer) -> tuple[int | None, int]:
    """The whole file's size by the source's word, if it gives one, and where this body starts in it."""
    stated = answer.headers.get("content-range", "")
    content_range = re.match(r"bytes (?:(\d{1,18})-\d+|\*)/(\d{1,18}|\*)", stated)
    if answer.status in (206, 416) and content_range:
        total = content_range[2]
        return (int(total) if total != "*" else None), int(content_range[1] or 0)
    return (answer.response.length if answer.status != 416 else None), 0


def _refuse_other_digest(file: ListedFile, answer: Answer) -> None:
    """Tags that are digests of the listed kind tell another file before its gigabytes are fetched."""
    if file.digest is None:
        return
    form = r"[0-9a-f]{64}" if file.digest.algorithm == "sha256" else r"[0-9a-f]{40}"
    stated = answer.linked.get("x-linked-etag") or answer.headers.get("x-linked-etag")
    tag = (stated or answer.headers.get("etag", "")).removeprefix("W/").strip('"')
    if re.fullmatch(form, tag) and tag != file.digest.hex:
        raise OtherFile(
            f"expected {file.digest.algorithm} {file.digest.hex}, found {tag} by the source's word"
        )


def _meaning(place: Place, file: ListedFile, answer: Answer) -> ModelInitError | TransientError:
    code = answer.status
    if answer.redirected and code in (400, 401, 403, 404, 410):
        return TransientError(f"the answer {code} after a redirect, which may have expired")
    if answer.headers.get("x-error-code") == "GatedRepo":
        return gated(place)
    missing = (
        f"no such file: expected {file.path} of {place.model_id} on {place.endpoint}, found {code}; use "
        "another MODEL_REVISION"
    )
    return by_status(place, code, answer.headers, missing)
