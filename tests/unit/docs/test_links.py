"""Every link of every page leads somewhere, and both languages say the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from suite.checks import tracked

REPO = Path(__file__).resolve().parents[3]
PAGES = [name for name in tracked("*.md") if not name.startswith("tests/")]
CHINESE = {"README.md": "README.zh-CN.md"} | {
    name: f"docs/zh/{name.removeprefix('docs/')}"
    for name in PAGES
    if name.startswith("docs/") and (REPO / "docs/zh" / name.removeprefix("docs/")).exists()
}
FENCED = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)


def text(name: str) -> str:
    return (REPO / name).read_text(encoding="utf-8")


def links(name: str) -> list[str]:
    """What a page's links and pictures point to in the repository."""
    prose = re.sub(r"`[^`\n]*`", "", FENCED.sub("", text(name)))
    return [link for link in re.findall(r"\]\(([^)\s]+)\)", prose) if not re.match(r"[a-z]+:", link)]


def anchors(name: str) -> set[str]:
    """GitHub's names of a page's headings."""
    titles = re.findall(r"^#+ (.+)$", FENCED.sub("", text(name)), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", title.lower()) for title in titles)
    return {title.strip().replace(" ", "-") for title in plain}


def test_the_pages_are_there() -> None:
    assert len(PAGES) > 10
    assert {"README.md", "docs/install.md", "docs/operate.md", "docs/settings.md", "docs/api.md"} < set(
        CHINESE
    )


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_somewhere(name: str) -> None:
    wrong = []
    for link in links(name):
        path, _, anchor = link.partition("#")
        target = (REPO / name).parent / path if path else REPO / name
        if not target.exists() or (anchor and anchor not in anchors(str(target.relative_to(REPO)))):
            wrong.append(link)
    assert wrong == []


@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
def test_a_readme_leads_to_every_page(readme: str) -> None:
    led = {link.partition("#")[0] for link in links(readme)}
    english = {name for name in PAGES if re.fullmatch(r"docs/[\w-]+\.md", name)}
    wanted = english if readme == "README.md" else {CHINESE.get(name, name) for name in english}
    assert wanted - led == set()


def shape(name: str) -> list[str]:
    """The headings' levels, tables' rows, code and commands of a page, in order."""
    lines = []
    for line in text(name).splitlines():
        if heading := re.match(r"#+ ", line):
            lines.append(heading[0])
        elif line.startswith("|"):
            lines.append(f"{line.count('|')} cells")
        elif line.startswith(("```", "sudo ", "./scripts/", "$ ./")):
            lines.append(line.partition(" #")[0].rstrip())
    return lines


@pytest.mark.parametrize("name", CHINESE)
def test_both_languages_have_the_same_parts(name: str) -> None:
    assert shape(CHINESE[name]) == shape(name)
