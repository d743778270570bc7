"""What an answer may do in the page: be read. It neither covers nor imitates what is around it."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, expect

from harness.person import Person
from harness.stack import Stack

COVER = "position:fixed;inset:0;z-index:99999;background:red"
HOSTILE = f"""Sign in again:

<div id="banner" class="fixed toast-wrap chat-note" style="{COVER}"><form action="/session" method="post">
<label>Password</label><input type="password" name="p">
<select><option>x</option></select><textarea>t</textarea>
<button>Sign in</button></form></div>

<dialog open style="{COVER}">a dialog</dialog>
<span class="katex" id="settings" style="{COVER}">a formula</span>
<svg style="{COVER}"><rect width="9999" height="9999"/></svg><iframe src="/login" style="{COVER}"></iframe>
<span class="katex"><input name="k"><button class="copy_code_button">go</button></span>
<div class="mermaid" style="{COVER}">x</div>

<a href="https://evil.example/x" style="{COVER}">https://bank.example</a> the end
"""
PLAIN = """# A heading

- [x] done, **bold** and `code`, a [link](https://example.org/a) and [ours](/status)

| a | b |
| - | - |
| 1 | 2 |

```python
def area(r): return 3
```

and $$x^2 + \\frac{a}{b}$$.
"""
COVERED = """(answer) => {
  const parts = [...answer.querySelectorAll("*")];
  const covers = (part) => ["fixed", "sticky"].includes(getComputedStyle(part).position);
  const asks = (part) => part.matches("form, input, select, textarea, dialog, iframe, label");
  return parts.filter((part) => part.id || covers(part) || asks(part)).map((part) => part.outerHTML);
}"""


@pytest.fixture
def answered(arrive: Callable[..., Person], stack: Stack) -> Callable[[str], Locator]:
    """Opens the page with a conversation in which the engine gave this answer; its element."""

    def open_with(answer: str) -> Locator:
        said = [("user", "Hello?"), ("assistant", answer)]
        messages = [
            {"role": role, "content": [{"type": "text", "text": text}], "metadata": {}} for role, text in said
        ]
        person = arrive()
        person.page.goto(f"{stack.url}/whoami")
        person.page.evaluate(
            "(kept) => { sessionStorage.clear(); localStorage.setItem('qwen-appliance.chat.1', kept); }",
            json.dumps({"user": None, "messages": messages, "inputs": ["", "", 0.7, 0.9, 40, 1.15]}),
        )
        person.page.goto(stack.url)
        return person.answers.last

    return open_with


def test_an_answer_covers_nothing_and_asks_for_nothing(answered: Callable[[str], Locator]) -> None:
    answer = answered(HOSTILE)
    expect(answer).to_contain_text("the end")
    assert answer.evaluate(COVERED) == []
    expect(answer.locator(".md [style]:not(.katex, .katex *)")).to_have_count(0)
    expect(answer.get_by_role("button", name="Sign in")).to_have_count(0)
    expect(answer.locator("button.copy_code_button")).to_have_count(0)
    # what is around it can still be used
    page = answer.page
    page.get_by_role("button", name="Settings", exact=True).click(timeout=10_000)
    expect(page.get_by_label("System prompt")).to_be_visible()


def test_a_link_says_where_it_leads(answered: Callable[[str], Locator]) -> None:
    answer = answered(HOSTILE)
    link = answer.get_by_text("https://bank.example")
    expect(link).to_have_attribute("rel", "noopener noreferrer")
    expect(link).to_have_attribute("target", "_blank")
    said = link.evaluate("(link) => getComputedStyle(link, '::after').content")
    assert "(" in said
    assert link.get_attribute("data-host") == "evil.example"


def test_markdown_is_shown_as_ever(answered: Callable[[str], Locator]) -> None:
    answer = answered(PLAIN)
    expect(answer.locator("h1")).to_have_text("A heading")
    expect(answer.locator("li")).to_contain_text("☑ done, bold and code")
    expect(answer.locator("td")).to_have_count(2)
    expect(answer.locator("pre .token.keyword").first).to_have_text("def")
    expect(answer.locator("button.copy_code_button")).to_have_count(1)
    expect(answer.locator(".katex .mfrac")).to_have_count(1)
    assert answer.locator(".katex [style]").count() > 0
    expect(answer.get_by_text("ours")).not_to_have_attribute("data-host", "")
