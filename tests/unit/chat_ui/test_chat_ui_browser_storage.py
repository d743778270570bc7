"""What a browser keeps, run in Node: settings by name, also those that it once kept by position."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import pytest

from chat_ui.layout import STATIC

DEFAULTS = {"system_prompt": "Be kind.", "temperature": 0.7, "seed": 7, "top_p": 0.9}
MESSAGES = [{"id": "1a", "role": "user", "text": "hello"}]
NOTE = '<span class="chat-note">{}</span>'
BY_POSITION = ["half a ques", "Be brief.", 1.2, 0.5, 64, 1.3]
BROWSER = """
const [script, given] = process.argv.slice(1).map((argument) => JSON.parse(argument));
const storage = (content) => ({
  getItem: (key) => (key in content ? content[key] : null),
  setItem: (key, value) => { content[key] = value; },
  removeItem: (key) => { delete content[key]; },
});
const listeners = {};
class DOMParser {
  parseFromString(text) {
    return { body: { textContent: text.replace(/<[^>]*>/g, "").replaceAll("&lt;", "<") } };
  }
}
const window = {
  CHAT: { settings: given.defaults },
  localStorage: storage(given.kept),
  sessionStorage: storage({}),
};
const names = ["window", "localStorage", "sessionStorage", "addEventListener", "DOMParser"];
const listen = (event, act) => { listeners[event] = act; };
new Function(...names, script)(window, window.localStorage, window.sessionStorage, listen, DOMParser);
const restored = structuredClone(window.chatStorage.restore(given.user));
if (given.changed) window.chatStorage.keep(given.changed);
listeners.pagehide();
console.log(JSON.stringify({ restored, kept: given.kept }));
process.exit();
"""


def reload(kept: Any, user: str | None = None, changed: dict[str, Any] | None = None) -> Any:
    """What the page finds where a browser has `kept`, and what the browser keeps when the page goes."""
    node = shutil.which("node")
    assert node, "no node: ./scripts/test installs it"
    stored = {"qwen-appliance.chat.1": kept if isinstance(kept, str) else json.dumps(kept)}
    given = {"defaults": DEFAULTS, "kept": stored, "user": user, "changed": changed}
    script = (STATIC / "browser_storage.js").read_text(encoding="utf-8")
    command = [node, "-e", BROWSER, json.dumps(script), json.dumps(given)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    return found["restored"], json.loads(found["kept"]["qwen-appliance.chat.1"])


def test_settings_kept_by_position_come_back_under_their_names() -> None:
    restored, kept = reload({"user": None, "messages": MESSAGES, "inputs": BY_POSITION})
    settings = {"system_prompt": "Be brief.", "temperature": 1.2, "seed": 7, "top_p": 0.5}
    assert restored == {"user": None, "messages": MESSAGES, "draft": "half a ques", "settings": settings}
    assert list(restored["settings"]) == list(DEFAULTS)
    assert kept == restored


def once(role: str, text: str, **metadata: str) -> dict[str, Any]:
    """A message as it was kept when it was Gradio's."""
    return {"role": role, "content": [{"type": "text", "text": text}], "metadata": metadata, "options": None}


def note(text: str, **metadata: str) -> dict[str, Any]:
    return once("assistant", NOTE.format(text), id="note", **metadata)


def test_messages_that_were_gradios_come_back_as_they_are_today() -> None:
    messages = [
        once("user", "one", id="0123456789abcdef"),
        note("2 of 4 left out"),
        once("assistant", "first answer"),
        note("cut at 5 &lt;tokens>"),
        once("user", "two"),
        note("away"),
        once("user", "three"),
        once("assistant", "third ans", status="pending"),
    ]
    restored, _ = reload({"user": None, "messages": messages})
    assert len({message.pop("id") for message in restored["messages"]}) == 6
    assert restored["messages"] == [
        {"role": "user", "text": "one"},
        {
            "role": "assistant",
            "text": "first answer",
            "left_out": "2 of 4 left out",
            "note": "cut at 5 <tokens>",
        },
        {"role": "user", "text": "two"},
        {"role": "assistant", "text": "", "note": "away"},
        {"role": "user", "text": "three"},
        {"role": "assistant", "text": "third ans", "growing": True},
    ]


def test_a_question_that_waited_when_it_was_gradios_is_there_without_an_answer() -> None:
    restored, _ = reload({"messages": [once("user", "one"), note("it waits", status="pending")]})
    assert [message["text"] for message in restored["messages"]] == ["one"]


def test_a_copy_without_settings_has_the_defaults() -> None:
    restored, _ = reload({"messages": MESSAGES, "inputs": None})
    assert (restored["draft"], restored["settings"]) == ("", DEFAULTS)


def test_what_was_changed_comes_back() -> None:
    changed = {"draft": "hello", "settings": {**DEFAULTS, "temperature": 1.5}}
    _, kept = reload({"messages": MESSAGES}, changed=changed)
    restored, _ = reload(kept)
    assert restored == {"user": None, "messages": MESSAGES, **changed}


@pytest.mark.parametrize("settings", [{"gone": 1, "top_p": 0.5}, {"temperature": "hot", "top_p": 0.5}])
def test_only_settings_of_today_are_taken_and_only_in_their_form(settings: dict[str, Any]) -> None:
    restored, kept = reload({"messages": [], "settings": settings})
    assert restored["settings"] == kept["settings"] == {**DEFAULTS, "top_p": 0.5}


@pytest.mark.parametrize(
    "kept", ["", "{", "null", "[]", '{"messages": 5}', '{"messages": [], "settings": 5}']
)
def test_what_is_no_copy_counts_as_none(kept: str) -> None:
    restored, _ = reload(kept)
    assert restored == {"user": None, "messages": [], "draft": "", "settings": DEFAULTS}


def test_somebody_elses_copy_goes() -> None:
    restored, kept = reload({"user": "alice", "messages": MESSAGES, "inputs": BY_POSITION}, user="bob")
    assert restored == kept == {"user": "bob", "messages": [], "draft": "", "settings": DEFAULTS}
