"""What a browser keeps, run in Node: settings by name, also those that it once kept by position."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import pytest

from chat_ui.layout import STATIC

DEFAULTS = {"system_prompt": "Be kind.", "temperature": 0.7, "seed": 7, "top_p": 0.9}
MESSAGES = [{"role": "user", "content": "hello"}]
BY_POSITION = ["half a ques", "Be brief.", 1.2, 0.5, 64, 1.3]
BROWSER = """
const [script, given] = process.argv.slice(1).map((argument) => JSON.parse(argument));
const storage = (content) => ({
  getItem: (key) => (key in content ? content[key] : null),
  setItem: (key, value) => { content[key] = value; },
  removeItem: (key) => { delete content[key]; },
});
const listeners = {};
const window = {
  CHAT: { settings: given.defaults },
  localStorage: storage(given.kept),
  sessionStorage: storage({}),
};
const names = ["window", "localStorage", "sessionStorage", "addEventListener"];
const listen = (event, act) => { listeners[event] = act; };
new Function(...names, script)(window, window.localStorage, window.sessionStorage, listen);
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
