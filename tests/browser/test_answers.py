"""What an answer is in the page: text, shown as its writer meant it, that reaches nothing around it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from harness.person import Person
from harness.stack import REPO

DOCUMENTS = Path(__file__).parent / "documents"
COVER = "position:fixed;inset:0;z-index:99999;background:red"
HOSTILE = f"""Sign in again:

<div id="banner" class="fixed toast-wrap chat-note" style="{COVER}"><form action="/session" method="post">
<label>Password</label><input type="password" name="p">
<button>Sign in</button></form></div>

<dialog open style="{COVER}">a dialog</dialog> <style>* {{ display: none }}</style> <script>alert(1)</script>
<svg style="{COVER}"><rect width="9999" height="9999"/></svg><iframe src="/login" style="{COVER}"></iframe>

![the page](https://evil.example/page.png) [a](javascript:alert(1)) [b](data:text/html,x)

[https://bank.example](https://evil.example/x) and [ours](/status)

$\\href{{javascript:alert(1)}}{{x}} \\htmlId{{banner}}{{y}} \\rule{{9999em}}{{9999em}}$
$\\kern-99em \\raisebox{{9999em}}{{z}}$

```html" onclick="alert(1)
<form>
```
the end
"""
TAGLIKE = "`<template>` List<T> <api_key> if a<b and c>d &lt; &amp;amp; <!-- x --> </div>"
TAGLIKE_SHOWN = "<template> List<T> <api_key> if a<b and c>d"
REACHES = """(answer) => [...answer.querySelectorAll("*")].filter((part) => {
  const style = getComputedStyle(part);
  const asks = part.matches("form, input, select, textarea, dialog, iframe, img, label, style, script")
    || part.matches("svg:not(.katex svg)");
  const placed = part.style.length > 0 && part.closest(".katex") === null;
  const acts = [...part.attributes].some(({ name }) => name.startsWith("on"));
  return part.id || asks || placed || acts || ["fixed", "sticky"].includes(style.position);
}).map((part) => part.outerHTML)"""
PAINTED_OUTSIDE = """(answer) => {
  const { left, top, right, bottom } = answer.getBoundingClientRect();
  const points = [[left + 5, top - 5], [left + 5, bottom + 5], [left - 5, top + 5], [right + 5, top + 5]];
  return points.map(([x, y]) => document.elementFromPoint(x, y)).some((found) => answer.contains(found));
}"""
BROKEN_WORDS = """(cells) => cells.flatMap((cell) => {
  const found = [];
  const texts = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
  for (let text = texts.nextNode(); text; text = texts.nextNode()) {
    for (const { 0: word, index } of text.data.matchAll(/[\\w.-]+/g)) {
      const range = document.createRange();
      range.setStart(text, index);
      range.setEnd(text, index + word.length);
      if (new Set([...range.getClientRects()].map(({ top }) => Math.round(top))).size > 1) found.push(word);
    }
  }
  return found;
})"""
LONG = f"""{"x" * 400} `{"y" * 400}` [{"z" * 400}](https://example.org/{"w" * 400})

    {"code " * 200}

$${"x+" * 300}x$$"""
FENCED = re.compile(r"^ *```.*?^ *```$", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"`([^`]+)`")
WIDTHS = [320, 390, 768, 1280, 2560]


def document(name: str) -> str:
    return (DOCUMENTS / name).read_text(encoding="utf-8")


def texts(found: Locator) -> list[str]:
    return [" ".join(text.split()) for text in found.all_inner_texts()]


def formulas(answer: Locator) -> Locator:
    """What a formula says to whoever does not see it; waits until they are there."""
    expect(answer.locator(".formula .katex").first).to_be_attached()
    return answer.locator(".formula annotation")


def links_say_where_they_lead(answer: Locator) -> None:
    assert [link.get_attribute("href") for link in answer.locator("a").all()] == [
        "https://evil.example/page.png",
        "https://evil.example/x",
        "/status",
    ]
    for link in answer.locator("a").all():
        expect(link).to_have_attribute("rel", "noopener noreferrer")
        expect(link).to_have_attribute("target", "_blank")
        assert link.get_attribute("title") == link.evaluate("(link) => link.href")
    link = answer.get_by_text("https://bank.example")
    assert "(" in link.evaluate("(link) => getComputedStyle(link, '::after').content")
    assert link.get_attribute("data-host") == "evil.example"


def test_an_answer_reaches_nothing_and_asks_for_nothing(answered: Callable[..., Person]) -> None:
    person = answered(HOSTILE)
    answer = person.answers.last
    formulas(answer)
    expect(answer).to_contain_text('<form action="/session" method="post">')
    expect(answer).to_contain_text("<style>* { display: none }</style> <script>alert(1)</script>")
    expect(answer).to_contain_text("the end")
    assert answer.evaluate(REACHES) == []
    assert not answer.evaluate(PAINTED_OUTSIDE)
    expect(answer.get_by_role("button", name="Sign in")).to_have_count(0)
    links_say_where_they_lead(answer)
    person.page.get_by_role("button", name="Settings", exact=True).click(timeout=10_000)
    expect(person.page.get_by_label("System prompt")).to_be_visible()


def test_what_looks_like_a_tag_is_text_in_questions_and_answers(answered: Callable[..., Person]) -> None:
    person = answered(TAGLIKE, question=TAGLIKE)
    expect(person.answers.last).to_contain_text(TAGLIKE_SHOWN)
    expect(person.answers.last).to_contain_text("<!-- x --> </div>")
    expect(person.questions.last).to_have_text(TAGLIKE)


def test_a_readme_is_shown_as_its_writer_meant_it(answered: Callable[..., Person]) -> None:
    answer = answered(document("readme.md")).answers.last
    assert texts(answer.locator("h1, h2, h3")) == [
        "fastcsv", "Why another one?", "Install", "Use", "Options", "Errors", "Prices", "Licence",
    ]  # fmt: skip
    assert texts(answer.locator("li.task")) == [
        "☑ Quoted fields, escaped quotes, CRLF",
        "☑ Any delimiter, also several characters",
        "☐ Writing (planned for 2.0)",
    ]
    assert texts(answer.locator(".code-head > span")) == ["bash", "python", "text"]
    expect(answer.locator("pre .hljs-keyword").first).to_have_text("from")
    expect(answer).to_contain_text(
        '<template id="row"> in the data is data. So is Dict<K, V>, and so is if a<b and c>d.'
    )
    expect(answer).to_contain_text(
        "Support is $49 a month, or $490 a year; a team of 5 pays $199. Set $FASTCSV_KEY"
    )
    expect(answer.locator(".formula, del")).to_have_count(0)
    # lines that an editor wrapped are one paragraph
    expect(answer.locator("p br")).to_have_count(0)
    expect(answer.locator("tbody tr")).to_have_count(4)
    assert texts(answer.locator("tbody tr").nth(1).locator("td"))[:2] == ["quote", "str | None"]
    sides = "(cells) => cells.map((cell) => getComputedStyle(cell).textAlign)"
    assert answer.locator("thead th").evaluate_all(sides) == ["left", "center", "right", "left"]
    expect(answer.locator("ol > li .code")).to_have_count(1)
    expect(answer.get_by_role("link", name="terms of support")).to_have_attribute(
        "href", "https://fastcsv.example/terms"
    )
    assert not re.search(r"\*\*|\]\(|^#|\|\|", answer.inner_text(), re.MULTILINE)


def test_formulas_are_shown_and_prices_are_not_formulas(answered: Callable[..., Person]) -> None:
    answer = answered(document("abstract.md")).answers.last
    said = [text.strip() for text in formulas(answer).all_text_contents()]
    assert r"\eta_t = \eta_0 / \sqrt{t}" in said
    assert r"L(\theta) = \mathbb{E}_{x \sim p}[\ell(\theta; x)]" in said
    assert r"\begin{pmatrix} a_1 & b_2 \\ c_3 & d_4 \end{pmatrix}" in said
    assert r"\theta_{t+1} = \theta_t - \eta_t \hat{g}_t ," in said
    assert said[-4:] == [r"x", r"x^2 \ge 0", r"n", r"2 \mid n"]
    assert len(said) == 29
    expect(answer.locator(".katex-error")).to_have_count(0)
    expect(answer.locator(".katex-display")).to_have_count(2)
    expect(answer).to_contain_text("cost $1,200 in total, against $3,500 to $4,000 for the baseline")
    expect(answer.locator("td .katex")).to_have_count(6)
    expect(answer.locator("em")).to_have_text(["Proof."])


def test_chinese_is_shown_as_its_writer_meant_it(answered: Callable[..., Person]) -> None:
    answer = answered(document("tutorial.zh.md"), locale="zh-CN").answers.last
    assert texts(answer.locator("strong"))[:6] == [
        "注意：", "“移动”", "“复制”", "不可恢复！", "大约需要5分钟。", "Python 3.11",
    ]  # fmt: skip
    expect(answer.locator("strong")).to_have_count(12)
    expect(answer.get_by_role("link", name="“命令行入门”")).to_have_attribute(
        "href", "https://example.cn/cli"
    )
    expect(answer.get_by_role("link", name="https://example.cn/help")).to_have_attribute(
        "href", "https://example.cn/help"
    )
    expect(answer).to_contain_text("约 ¥499，也可以买 $69 的型号，价格从$59到$129不等。")
    assert [text.strip() for text in formulas(answer).all_text_contents()] == ["t_{文件} > t_{上次}"]
    expect(answer.locator("ol > li")).to_have_count(4)
    expect(answer.locator("ol > li .code")).to_have_count(1)
    expect(answer.locator("li.task")).to_have_count(3)
    expect(answer.locator("pre").last).to_contain_text("目标 / 文件.relative_to(源目录)")
    expect(answer.get_by_role("button", name="下载代码")).to_have_count(2)
    assert not re.search(r"\*|\]\(|^#", answer.inner_text().replace("'*.jpg'", ""), re.MULTILINE)


@pytest.mark.parametrize(("name", "locale"), [("README.md", "en-US"), ("README.zh-CN.md", "zh-CN")])
def test_a_long_page_that_people_wrote_for_people_is_shown_whole(
    answered: Callable[..., Person], name: str, locale: str
) -> None:
    """This repository's own: whatever its source marks is marked in the page, in the same order."""
    source = (REPO / name).read_text(encoding="utf-8")
    answer = answered(source, locale=locale).answers.last
    prose = FENCED.sub("", source)
    expect(answer.locator("pre")).to_have_count(len(FENCED.findall(source)))
    headings = [line.strip("# ").replace("`", "") for line in prose.splitlines() if re.match("#+ ", line)]
    assert texts(answer.locator("h1, h2, h3, h4")) == headings
    rows = [
        line
        for line in prose.splitlines()
        if line.startswith("| ") and not re.fullmatch("[| :]*-[| :-]*", line)
    ]
    expect(answer.locator("tr")).to_have_count(len(rows))
    code = [" ".join(said.replace("\\|", "|").split()) for said in CODE.findall(prose)]
    assert texts(answer.locator("code:not(pre code)")) == code
    bare = CODE.sub("code", prose)
    strong = re.findall(r"\*\*([^*]+)\*\*", bare)
    expect(answer.locator("strong")).to_have_count(len(strong))
    targets = re.findall(r"(?<!!)\[[^]]*\]\(([^)\s]+)\)", bare)
    leads = [link.get_attribute("href") for link in answer.locator("a").all()]
    assert [target for target in leads if target in targets] == targets
    assert min(map(len, (headings, rows, code, strong, targets))) > 3
    assert not re.search(r"\*\*|\]\(|^#+ ", answer.inner_text(), re.MULTILINE)


def test_nothing_is_wider_than_the_page_and_tables_break_no_word(answered: Callable[..., Person]) -> None:
    person = answered(document("readme.md"), document("tutorial.zh.md"), LONG, question="q" * 500)
    formulas(person.answers.last)
    tables = person.conversation.locator(".table")
    for width in WIDTHS:
        person.page.set_viewport_size({"width": width, "height": 800})
        assert person.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width
        log = person.page.get_by_role("log")
        assert log.evaluate("(log) => log.scrollWidth <= log.clientWidth"), width
        assert tables.locator("th, td").evaluate_all(BROKEN_WORDS) == [], width
        scrolls = tables.first.evaluate("(table) => table.scrollWidth > table.clientWidth")
        assert scrolls == (width < 600), width


def test_whole_conversations_are_printed(answered: Callable[..., Person]) -> None:
    person = answered(*[f"{document('readme.md')}\n\nanswer {n}" for n in range(4)])
    one_page = person.page.pdf().count(b"/Type /Page\n")
    person.page.emulate_media(media="print")
    expect(person.message).to_be_hidden()
    expect(person.retry).to_be_hidden()
    assert person.answers.evaluate_all(
        "(all) => all.every((one) => one.getBoundingClientRect().height > 1000)"
    )
    assert one_page > 6
