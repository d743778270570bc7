"""What is taken from a file of conversations, run in Node: of each message what has its form, and nothing
else."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import pytest

from chat_ui.layout import STATIC

DEFAULTS = {"system_prompt": "Be kind.", "temperature": 0.7}
FORMAT = "qwen-appliance conversations 1"
BROWSER = """
const [script, given, content] = process.argv.slice(1).map((argument) => JSON.parse(argument));
const window = { CHAT: { settings: given }, chatTexts: { text: (key) => key } };
new Function("window", script)(window);
let n = 0;
console.log(JSON.stringify(window.chatTransfer.read(content, () => `new ${n++}`)));
"""
QUESTION = {
    "id": "0123456789abcdef",
    "role": "user",
    "text": "What is it?",
    "files": [{"name": "a.txt", "text": "hello", "tokens": 3}],
}
FIGURES = {"tokens_in": 5, "tokens_out": 1, "first_s": 0.1, "seconds": 0.2, "ended": "cut"}
ANSWER = {
    "id": "fedcba9876543210",
    "role": "assistant",
    "text": "It",
    "note": "interrupted",
    "left_out": "1 of 3",
    "figures": FIGURES,
    "versions": [[{"id": "00000000000000aa", "role": "assistant", "text": "That"}], None],
    "version": 1,
}


def read(*messages: Any, **more: Any) -> dict[str, Any]:
    """The one conversation of a file with these messages."""
    node = shutil.which("node")
    assert node, "no node: ./scripts/test installs it"
    content = json.dumps({"format": FORMAT, "conversations": [{"messages": messages, **more}]})
    script = (STATIC / "transfer.js").read_text(encoding="utf-8")
    given = [json.dumps(one) for one in (script, DEFAULTS, content)]
    ran = subprocess.run([node, "-e", BROWSER, *given], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    (found,) = json.loads(ran.stdout)
    return dict(found)


def test_what_was_exported_comes_back() -> None:
    found = read(QUESTION, ANSWER, title="t", pinned=True, created=1, changed=2, settings={"temperature": 1})
    assert found["messages"] == [QUESTION, ANSWER]
    assert (found["id"], found["title"], found["pinned"], found["changed"]) == ("new 0", "t", True, 2)
    assert found["settings"] == {"system_prompt": "Be kind.", "temperature": 1}


@pytest.mark.parametrize(
    "broken",
    [
        {"files": 5},
        {"files": [None, {"name": "a.txt"}, {"name": 5, "text": "hello"}]},
        {"figures": {"tokens_in": 5}},
        {"figures": 5},
        {"figures": {**FIGURES, "first_s": "soon"}},
        {"note": {}, "left_out": 5},
        {"versions": 5, "version": 0},
        {"versions": [None, 5], "version": 0},
        {"versions": [None, []], "version": 0},
        {"versions": [None, [{"role": "assistant"}]], "version": 0},
        {"versions": [None, None], "version": 0},
        {"versions": [[{"role": "user", "text": "a"}], None], "version": "1"},
        {"versions": [None], "version": 7},
        {"growing": True, "else": 5},
    ],
)
def test_what_has_not_its_form_is_left_out(broken: dict[str, Any]) -> None:
    plain = {"id": "0123456789abcdef", "role": "user", "text": "hello"}
    (message,) = read({**plain, **broken})["messages"]
    assert {name: value for name, value in message.items() if value != []} == plain


def test_a_version_is_looked_at_as_closely() -> None:
    inner = {"id": "00000000000000aa", "role": "assistant", "text": "That", "files": 5}
    (message,) = read({**ANSWER, "versions": [[inner], None]})["messages"]
    assert message["versions"] == [[{"id": "00000000000000aa", "role": "assistant", "text": "That"}], None]


def test_what_is_no_message_is_none_and_an_id_is_made_where_there_is_none() -> None:
    found = read(None, 5, {"role": "system", "text": "x"}, {"role": "user"}, {**QUESTION, "id": ["0" * 16]})
    assert [one["id"] for one in found["messages"]] == ["new 1"]
    assert read(QUESTION, settings={"temperature": "hot"})["settings"] == DEFAULTS
