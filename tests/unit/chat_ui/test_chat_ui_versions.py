"""What retrying and editing make of a conversation, run in Node: nothing that was there is lost."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

from chat_ui.layout import STATIC

SOURCE = STATIC.parents[1] / "web/src/conversation.js"
Message = dict[str, Any]


def made(script: str, **given: Any) -> Any:
    """What `script` returns, with the module as `data` and what is given by name."""
    node = shutil.which("node")
    assert node, "no node: ./scripts/test installs it"
    names = ", ".join(given)
    code = f"""
    import * as data from {json.dumps(SOURCE.as_uri())};
    const {{ {names} }} = JSON.parse(process.argv[1]);
    console.log(JSON.stringify((() => {{ {script} }})()));
    """
    command = [node, "--input-type=module", "-e", code, json.dumps(given)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def message(id_: str, role: str, text: str, **more: Any) -> Message:
    return {"id": id_, "role": role, "text": text, **more}


Q1, A1 = message("q1", "user", "one?"), message("a1", "assistant", "one")
Q2, A2 = message("q2", "user", "two?"), message("a2", "assistant", "two")
NEW = message("a3", "assistant", "other")


def turned(messages: list[Message], id_: str, step: int) -> list[Message]:
    found: list[Message] = made(
        "return data.turned({ messages }, id, step)", messages=messages, id=id_, step=step
    )
    return found


def texts(messages: list[Message]) -> list[str]:
    return [one["text"] for one in messages]


def test_what_was_there_becomes_a_version_with_all_that_followed() -> None:
    again = made("return data.withVersions(before, 1, made)", before=[Q1, A1, Q2, A2], made=NEW)
    assert again == {**NEW, "versions": [[A1, Q2, A2], None], "version": 1}


def test_the_first_of_its_place_has_no_versions() -> None:
    assert made("return data.withVersions(before, 1, made)", before=[Q1], made=NEW) == NEW


def test_one_turns_from_version_to_version_and_back() -> None:
    again = made("return data.withVersions(before, 1, made)", before=[Q1, A1, Q2, A2], made=NEW)
    now = [Q1, again]
    back = turned(now, "a3", -1)
    assert texts(back) == ["one?", "one", "two?", "two"]
    assert (back[1]["version"], back[1]["versions"]) == (0, [None, [NEW]])
    assert turned(back, "a1", 1) == now
    assert turned(back, "a1", -1) == back
    assert turned(back, "gone", 1) == back


def test_what_is_added_to_a_version_stays_with_it() -> None:
    again = made("return data.withVersions(before, 1, made)", before=[Q1, A1], made=NEW)
    grown = [Q1, again, Q2, A2]
    there = turned(turned(grown, "a3", -1), "a1", 1)
    assert texts(there) == ["one?", "other", "two?", "two"]


def test_the_server_hears_nothing_of_versions() -> None:
    asked = message(
        "q1", "user", "one?", versions=[None], version=0, files=[{"name": "a", "text": "b", "tokens": 1}]
    )
    told = made("return data.forServer(messages)", messages=[asked, A1])
    assert told == [
        {"role": "user", "text": "one?", "files": [{"name": "a", "text": "b"}]},
        {"role": "assistant", "text": "one"},
    ]


def test_an_answer_is_put_in_other_words_in_its_place() -> None:
    changed = made('return data.corrected({ messages }, "a1", "uno")', messages=[Q1, A1, Q2])
    assert texts(changed) == ["one?", "uno", "two?"]
