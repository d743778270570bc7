"""axe finds nothing serious in what the page shows, in either theme; all of it works by keyboard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from harness.person import Person
from harness.stack import REPO

AXE = REPO / "tests/javascript/node_modules/axe-core/axe.min.js"
ANSWER = """# A heading

Some **words**, a [link](https://example.org), `code` and $x^2$.

| a | b |
| - | - |
| 1 | 2 |

```python
print("hello")  # a comment
```

> quoted

- [x] done
"""


def findings(page: Page) -> list[str]:
    """What axe calls serious or critical, with the first element that it found."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found: dict[str, Any] = page.evaluate("axe.run()")
    return [
        f"{violation['id']}: {violation['help']} {violation['nodes'][0]['html'][:200]}"
        for violation in found["violations"]
        if violation["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_serious_is_found(answered: Callable[..., Person], theme: str) -> None:
    person = answered(ANSWER, ANSWER, color_scheme=theme)
    for arrived in (".katex", ".hljs-built_in"):
        expect(person.answers.last.locator(arrived).first).to_be_visible()
    assert findings(person.page) == []
    person.conversation.get_by_role("button", name="Edit").first.click()
    assert findings(person.page) == []
    person.new_chat.click()
    expect(person.page.get_by_role("heading", name="What can I help with?")).to_be_visible()
    assert findings(person.page) == []


def test_a_question_is_edited_by_keyboard_alone(answered: Callable[..., Person]) -> None:
    person = answered("An answer.")
    page = person.page
    person.page.get_by_role("log").focus()
    for name in ("Copy", "Edit"):
        page.keyboard.press("Tab")
        expect(page.locator(":focus")).to_have_text(name)
    page.keyboard.press("Enter")
    expect(page.locator(":focus")).to_have_value("Hello?")
    page.keyboard.press("Escape")
    expect(page.locator(":focus")).to_have_text("Edit")
