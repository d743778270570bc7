"""Takes the text out of one file, in a process of its own: `python -m chat_ui.extraction NAME`, the file on
standard input, a JSON object on standard output.

Whatever a file does to the libraries that read it (endless nesting, a bomb of zeros, a crash) it does in
here, where time, memory and files are bounded by the kernel; `files.py` starts it and sees to the rest. Word
and HTML become Markdown, so that a model sees headings, lists and tables. Nothing is written, nothing is
fetched.
"""

from __future__ import annotations

import contextlib
import io
import json
import resource
import sys
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path, PurePath
from typing import Any

CPU_SECONDS = 20
MEMORY_BYTES = 640 * 2**20
PDF_PAGES = 300
# what a question may carry beside it: nginx takes a question of at most a megabyte (nginx/routes)
TEXT_BYTES = 512 * 2**10
UNPACKED_BYTES = 64 * 2**20
_PAGES = (".html", ".htm", ".xhtml")
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


class Unreadable(Exception):
    """Why there is no text; the page has a sentence for each reason (`page_file_…`)."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Extract:
    """The text of a file; `cut` says that it is only its beginning."""

    text: str
    cut: bool = False


def extract(name: str, content: bytes) -> Extract:
    """The text of a file that is called so.

    Raises:
        Unreadable: there is none, or the file is not what its name says.
    """
    if not content:
        raise Unreadable("empty")
    suffix = PurePath(name).suffix.lower()
    kind = _kind(content)
    expected = {".pdf": "pdf", ".docx": "docx"}.get(suffix, "text")
    if kind == "ole":
        raise Unreadable("encrypted" if suffix == ".docx" else "unknown")
    if kind == "unknown" and expected == "text":
        raise Unreadable("unknown")
    if kind != expected:
        raise Unreadable("lying")
    reader: Callable[[bytes], Extract] = {"pdf": _pdf, "docx": _docx, "text": _text}[kind]
    found = _markdown(content) if suffix in _PAGES else reader(content)
    text = found.text.replace("\r\n", "\n").replace("\x00", "").strip()
    if not text:
        raise Unreadable("scanned" if kind == "pdf" else "empty")
    encoded = text.encode("utf-8", errors="replace")
    if len(encoded) > TEXT_BYTES:
        return Extract(encoded[:TEXT_BYTES].decode("utf-8", errors="ignore"), cut=True)
    return Extract(encoded.decode("utf-8"), found.cut)


def _kind(content: bytes) -> str:
    """What a file is by its content: pdf, docx, ole (an old or an encrypted Office file), text or unknown."""
    if b"%PDF-" in content[:1024]:
        return "pdf"
    if content.startswith(_OLE):
        return "ole"
    if content.startswith(b"PK\x03\x04"):
        return "docx" if b"word/" in content else "unknown"
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "text"
    return "unknown" if b"\x00" in content else "text"


def _pdf(content: bytes) -> Extract:
    from pypdf import PdfReader

    reader = PdfReader(io.BytesIO(content))
    # an empty password opens many a file that says it is encrypted
    if reader.is_encrypted and not reader.decrypt(""):
        raise Unreadable("encrypted")
    pages: list[str] = []
    size = 0
    for number, page in enumerate(reader.pages):
        if number == PDF_PAGES or size > TEXT_BYTES:
            return Extract("\n\n".join(pages), cut=True)
        pages.append(page.extract_text().strip())
        size += len(pages[-1])
    return Extract("\n\n".join(filter(None, pages)))


def _docx(content: bytes) -> Extract:
    import mammoth

    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        if sum(entry.file_size for entry in packed.infolist()) > UNPACKED_BYTES:
            raise Unreadable("too_much")
        if any(entry.flag_bits & 1 for entry in packed.infolist()):
            raise Unreadable("encrypted")
    no_image = mammoth.images.img_element(lambda _: {})
    return _markdown(mammoth.convert_to_html(io.BytesIO(content), convert_image=no_image).value)


def _markdown(html: str | bytes) -> Extract:
    from bs4 import BeautifulSoup
    from markdownify import ATX, MarkdownConverter

    soup = BeautifulSoup(html, "html.parser")
    for unread in soup(["script", "style", "noscript", "template", "svg", "img", "iframe", "object", "head"]):
        unread.decompose()
    # headings as # lines; nothing escaped: it is read by a model
    options: dict[str, Any] = {"heading_style": ATX, "escape_asterisks": False, "escape_underscores": False}
    lines = MarkdownConverter(**options).convert_soup(soup).splitlines()
    kept = [line.rstrip() for line in lines]
    return Extract("\n".join(line for at, line in enumerate(kept) if line or (at and kept[at - 1])))


def _text(content: bytes) -> Extract:
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        return Extract(content.decode(encoding))
    except UnicodeDecodeError:
        from charset_normalizer import from_bytes

    best = from_bytes(_beginning(content)).best()
    if best is None:
        raise Unreadable("unknown")
    return Extract(content.decode(best.encoding, errors="replace"))


def _beginning(content: bytes) -> bytes:
    """Enough of it to know its encoding, up to a line's or a word's end: no encoding has those within a
    character.
    """
    part = content[:TEXT_BYTES]
    end = max(part.rfind(b"\n"), part.rfind(b" ")) + 1
    return part[:end] if end and len(part) < len(content) else part


def main(name: str) -> dict[str, Any]:
    """What is said of the file on standard input: its text, or why there is none."""
    content = sys.stdin.buffer.read()
    try:
        return asdict(extract(name, content))
    except Unreadable as error:
        return {"error": error.reason}
    except MemoryError:
        return {"error": "too_much"}
    except Exception:
        # the libraries raise what they like at a file that is not whole
        return {"error": "damaged"}


def _bound() -> None:
    """From here on the kernel holds this process to its limits, and ends it first where the container has no
    memory left: a file can be sent again, the answers that the replica is writing can not.
    """
    # why suppressed: a sandbox's kernel may not know it
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    _bound()
    said = json.dumps(main(sys.argv[1]))
    sys.stdout.write(said)
