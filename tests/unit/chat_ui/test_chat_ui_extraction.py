"""The text of attached files, and one reason for each that has none."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
import zipfile

import pytest
from pypdf import PdfReader, PdfWriter

from chat_ui import extraction
from chat_ui.extraction import Unreadable, extract
from harness.documents import docx, paragraph, pdf

CHINESE = "你好，世界。这是一个测试文件，用来检测编码。"
GERMAN = "Grüße aus München, schöne Straße und ein Café für die Übung"


def encrypted(password: str) -> bytes:
    writer = PdfWriter(PdfReader(io.BytesIO(pdf("secret"))))
    writer.encrypt(password, "owner", algorithm="RC4-128")
    made = io.BytesIO()
    writer.write(made)
    return made.getvalue()


def bomb(size: int) -> bytes:
    """A small Word file whose document is `size` bytes of blanks."""
    made = io.BytesIO(docx(paragraph("hello")))
    with zipfile.ZipFile(made, "a", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("word/more.xml", b" " * size)
    return made.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("notes.txt", b"hello", "hello"),
        ("README", b"# hello\r\nworld", "# hello\nworld"),
        ("table.csv", "\ufeffa,b\n1,2".encode(), "a,b\n1,2"),
        ("main.py", b"print(1)\n", "print(1)"),
        ("chinese.txt", CHINESE.encode("gb18030"), CHINESE),
        ("chinese.md", CHINESE.encode("utf-16"), CHINESE),
        ("german.txt", GERMAN.encode("latin-1"), GERMAN),
        ("paper.pdf", pdf("First page", "Second page"), "First page\n\nSecond page"),
        ("PAPER.PDF", encrypted(""), "secret"),
        ("letter.docx", docx(paragraph("Title", "Heading1") + paragraph("a_b *c*")), "# Title\n\na_b *c*"),
        (
            "page.html",
            b"<head><title>t</title></head><h2>Head</h2><style>x</style><ul><li>one</li></ul><script>x()</script>",
            "## Head\n\n* one",
        ),
        (
            "page.htm",
            b"<table><tr><th>A</th><th>B</th></tr><tr><td>1</td><td>2</td></tr></table>",
            "| A | B |\n| --- | --- |\n| 1 | 2 |",
        ),
    ],
)
def test_the_text_of_a_file(name: str, content: bytes, text: str) -> None:
    assert extract(name, content) == extraction.Extract(text)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("notes.txt", b"", "empty"),
        ("notes.txt", b" \n", "empty"),
        ("scan.pdf", pdf("", ""), "scanned"),
        ("secret.pdf", encrypted("sesame"), "encrypted"),
        ("secret.docx", extraction._OLE + b"EncryptedPackage", "encrypted"),
        ("old.doc", extraction._OLE + b"WordDocument", "unknown"),
        ("picture.png", b"\x89PNG\r\n\x1a\n\x00\x00", "unknown"),
        ("archive.zip", b"PK\x03\x04other", "unknown"),
        ("report.pdf", b"hello", "lying"),
        ("notes.txt", pdf("hello"), "lying"),
        ("letter.docx", b"\x89PNG\r\n\x1a\n\x00\x00", "lying"),
        ("bomb.docx", bomb(extraction.UNPACKED_BYTES + 1), "too_much"),
    ],
)
def test_why_a_file_has_no_text(name: str, content: bytes, reason: str) -> None:
    with pytest.raises(Unreadable) as raised:
        extract(name, content)
    assert raised.value.reason == reason


def test_a_long_text_is_cut_at_a_whole_character() -> None:
    found = extract("long.txt", "你".encode() * extraction.TEXT_BYTES)
    assert (found.text, found.cut) == ("你" * (extraction.TEXT_BYTES // 3), True)


def test_of_a_book_the_first_pages_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extraction, "PDF_PAGES", 2)
    assert extract("book.pdf", pdf("one", "two", "three")) == extraction.Extract("one\n\ntwo", cut=True)
    assert extract("book.pdf", pdf("one", "two")) == extraction.Extract("one\n\ntwo")


def test_an_entity_fetches_nothing() -> None:
    entity = '<!DOCTYPE d [<!ENTITY f SYSTEM "file:///etc/passwd">]>'
    assert extract("without.docx", with_body("", "xy")).text == "xy"
    text = ""
    with contextlib.suppress(Exception):  # refusing it altogether is as good
        text = extract("entity.docx", with_body(entity, "x&f;y")).text
    assert "root:" not in text


def with_body(prologue: str, text: str) -> bytes:
    """A Word file whose document has this before it, and a paragraph of this text."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(docx(""))) as whole, zipfile.ZipFile(made, "w") as packed:
        for entry in whole.namelist():
            content = whole.read(entry).decode()
            if entry == "word/document.xml":
                assert "<w:body>" in content
                content = prologue + content.replace("<w:body>", f"<w:body>{paragraph(text)}")
            packed.writestr(entry, content)
    return made.getvalue()


@pytest.mark.parametrize("before", ["", "x"])
def test_the_encoding_of_a_long_text_is_found_wherever_its_beginning_ends(before: str) -> None:
    # of characters of two bytes: with one of one byte before them, half a megabyte ends within one
    text = before + f"{CHINESE}\n" * (extraction.TEXT_BYTES // len(CHINESE))
    found = extract("long.txt", text.encode("gb18030"))
    assert found.cut
    assert text.startswith(found.text)


def test_where_memory_ends_the_reader_of_a_file_goes_first() -> None:
    script = (
        "from chat_ui import extraction; extraction._bound(); print(open('/proc/self/oom_score_adj').read())"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "1000"
