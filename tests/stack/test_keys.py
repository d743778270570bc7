"""API keys from the command line to the door: made, used, replaced, taken away; never guessed, never read."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import huggingface_hub
import openai
import pytest
import requests

from harness import figures, raw_http
from harness.caller import COUNTING, MODEL, Caller, caller, counting, works
from harness.lone_door import LoneDoor
from harness.stack import Stack, said_inside
from harness.waiting import wait_until

CHAT: Any = [{"role": "user", "content": "Count to ten."}]
SPAN_OF_LIFE = 200  # tokens of a stream that outlives its key


@pytest.fixture(scope="module")
def reader(guarded: Stack) -> Iterator[Caller]:
    """Somebody whose key stays as it is."""
    with caller(guarded, "reader") as made:
        yield made


def refused(someone: Caller) -> bool:
    return someone.get("/v1/models").status_code == 401


def test_a_key_is_shown_once_and_kept_as_its_hash(guarded: Stack, reader: Caller) -> None:
    assert reader.post(f"/generate?key={reader.key}", counting(1)).status_code == 200

    listed = guarded.appliance("keys", "list", "--json")
    (entry,) = (key for key in json.loads(listed.stdout)["keys"] if key["name"] == reader.name)
    assert entry["hint"] == f"…{reader.key[-4:]}"
    written = {path: path.read_text() for path in guarded.access.rglob("*") if path.is_file()}
    assert hashlib.sha256(reader.key.encode()).hexdigest() in written[guarded.access / "keys.json"]
    assert {path.stat().st_mode & 0o777 for path in written} == {0o600}

    logs = guarded.compose("logs", "--no-color").stdout
    assert reader.account in logs
    wait_until(lambda: "|requests" in _state(guarded), "the request is in the usage file")
    everywhere = (listed.stdout, listed.stderr, logs, _state(guarded), *written.values())
    assert not any(reader.key in text for text in everywhere)


def _state(guarded: Stack) -> str:
    """All that nginx keeps on the disk."""
    return said_inside(guarded.container("nginx"), "find", "/state", "-type", "f", "-exec", "cat", "{}", "+")


def test_a_revoked_key_is_refused_while_its_stream_goes_on_to_the_end(guarded: Stack) -> None:
    with caller(guarded, "passing") as made:
        stream = made.count_on(SPAN_OF_LIFE)
        stream.read(1)
        assert guarded.appliance("keys", "revoke", made.name, "--yes").returncode == 0
        wait_until(lambda: refused(made), "a revoked key is refused")
        stream.read_all()

    assert [frame["index"] for frame in stream.frames] == list(range(1, SPAN_OF_LIFE + 1))
    assert stream.frames[-1]["generated_text"]


def test_a_rotated_key_keeps_its_name_and_limits(guarded: Stack) -> None:
    with caller(guarded, "turning", "--rpm", "900", "--concurrent", "9", "--daily-tokens", "90000") as old:
        new = Caller(guarded.url, old.name, guarded.appliance("keys", "rotate", old.name).stdout.strip())
        wait_until(lambda: works(new), "the new key opens the door")
        wait_until(lambda: refused(old), "the old key is refused")
        assert new.key != old.key

        keys = json.loads(guarded.appliance("keys", "list", "--json").stdout)["keys"]
        (entry,) = (key for key in keys if key["name"] == old.name)
        assert (entry["rpm"], entry["concurrent"], entry["daily_tokens"]) == (900, 9, 90000)


def test_a_key_ends_when_its_time_has_come(guarded: Stack) -> None:
    with caller(guarded, "mortal", "--expires", "12h") as made:
        file = guarded.access / "keys.json"
        table = json.loads(file.read_text())
        (entry,) = (key for key in table["keys"] if key["name"] == made.name)
        entry["expires"] = (datetime.now(UTC) + timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        replace(file, json.dumps(table))

        wait_until(lambda: refused(made), "an expired key is refused")
        listed = json.loads(guarded.appliance("keys", "list", "--json").stdout)["keys"]
        assert [key["expired"] for key in listed if key["name"] == made.name] == [True]


def test_only_the_very_key_opens_the_door(guarded: Stack, reader: Caller) -> None:
    key = reader.key
    other = key[:-1] + ("A" if key[-1] != "A" else "B")
    digest = hashlib.sha256(key.encode()).hexdigest()
    basic = base64.b64encode(f"reader:{key}".encode()).decode()
    wrong = [
        *(f"Bearer {text}" for text in (key + "x", key[:-1], other, key.swapcase(), key.upper(), digest)),
        *(f"Bearer {text}" for text in ("", "reader", f'"{key}"', f"{key} {key}", f"{key},", f"{key}%20")),
        *(f"{key}", f"Bearer{key}", f"Bearer\t{key}", f"Bearer {key}\t", f"Token {key}", f"Basic {key}"),
        *(f"Basic {basic}", f"Bearer Bearer {key}"),
    ]
    for value in wrong:
        answer = raw_http.ask(guarded.port, "GET", "/v1/models", f"Authorization: {value}")
        assert answer.status == 401, value
    for target, field in {
        f"/v1/models?key={key}&api_key={key}&access_token={key}": "Accept: */*",
        "/v1/models": f"X-Api-Key: {key}",
        "/info": f"Cookie: {guarded.session_cookie}={key}; Authorization=Bearer {key}",
    }.items():
        assert raw_http.ask(guarded.port, "GET", target, field).status == 401, (target, field)
    right = (f"Bearer {key}", f"bearer {key}", f"BEARER {key}", f"Bearer   {key}", f"  Bearer {key}  ")
    for value in right:
        answer = raw_http.ask(guarded.port, "GET", "/v1/models", f"Authorization:{value}")
        assert answer.status == 200, value


def test_two_authorization_headers_are_one_too_many(guarded: Stack, reader: Caller) -> None:
    right, wrong = f"Authorization: Bearer {reader.key}", "Authorization: Bearer sk-other"
    for fields in ((right, wrong), (wrong, right), (right, right)):
        assert raw_http.ask(guarded.port, "GET", "/v1/models", *fields).status == 400


@pytest.mark.parametrize(
    "path", ["/v1/chat/completions", "/v1/completions", "/generate", "/generate_stream", "/tokenize", "/"]
)
def test_who_has_no_key_is_told_how_to_send_one(guarded: Stack, path: str) -> None:
    answer = requests.post(guarded.url + path, json=counting(1), timeout=30)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="appliance"'
    assert answer.headers["content-type"] == "application/json"
    error = answer.json()
    message = error["error"]["message"] if path.startswith("/v1/") else error["error"]
    assert "Authorization: Bearer <key>" in message
    if path.startswith("/v1/"):
        kind = {"type": "invalid_request_error", "param": None, "code": "invalid_api_key"}
        assert error == {"error": {"message": message, **kind}}
    else:
        assert error == {"error": message, "code": "unauthorized"}


class Regular:
    """Asks again and again on one connection, opened anew only where nginx says that it closes it."""

    def __init__(self, someone: Caller) -> None:
        self.statuses: list[int] = []
        self._caller = someone

    def keep_asking(self, until: threading.Event) -> None:
        """Raises what http.client raises when the connection is dropped."""
        while not until.is_set():
            connection = http.client.HTTPConnection(self._caller.url.removeprefix("http://"), timeout=30)
            connection.connect()
            connection.auto_open = 0
            closing = False
            while not closing and not until.wait(0.05):
                connection.request("GET", "/v1/models", headers=self._caller.headers)
                answer = connection.getresponse()
                answer.read()
                self.statuses.append(answer.status)
                closing = answer.will_close
            connection.close()


def test_keys_come_and_go_while_others_work(guarded: Stack, reader: Caller) -> None:
    with ThreadPoolExecutor(20) as pool:
        regulars, over = [Regular(reader) for _ in range(20)], threading.Event()
        working = [pool.submit(regular.keep_asking, over) for regular in regulars]
        try:
            for turn in range(3):
                with caller(guarded, f"guest-{turn}") as guest:
                    pass
                wait_until(partial(refused, guest), "the guest's key is refused again")
        finally:
            over.set()
        for work in working:
            work.result()

    assert {status for regular in regulars for status in regular.statuses} == {200}
    assert all(len(regular.statuses) > 10 for regular in regulars)


def test_a_damaged_table_leaves_the_known_keys_in_force(guarded: Stack, reader: Caller) -> None:
    file = guarded.access / "keys.json"
    good, complaints = file.read_text(), figures.nginx_log(guarded).count("keys.json cannot be used")
    try:
        replace(file, good[:-20])
        wait_until(
            lambda: figures.nginx_log(guarded).count("keys.json cannot be used") > complaints,
            "nginx says that it cannot use the table",
        )
        assert works(reader)
        assert refused(Caller(guarded.url, "stranger", "sk-stranger"))
        added = guarded.appliance("keys", "add", "late")
        assert added.returncode == 2
        assert "keys.json is damaged" in added.stderr
        assert file.read_text() == good[:-20], "what somebody wrote is not overwritten"
    finally:
        replace(file, good)
    with caller(guarded, "late"):
        assert works(reader)


@pytest.fixture
def lone_access(guarded: Stack, tmp_path: Path) -> Path:
    """A copy of the appliance's access files, to be damaged."""
    copy = tmp_path / "access"
    copy.mkdir(0o700)
    owner = (guarded.access / "keys.json").stat()
    for name in ("keys.json", "users.json", "users.htpasswd", "session.secret"):
        target = copy / name
        target.write_text((guarded.access / name).read_text())
        target.chmod(0o600)
        os.chown(target, owner.st_uid, owner.st_gid)
    os.chown(copy, owner.st_uid, owner.st_gid)
    return copy


def test_a_table_that_was_never_readable_opens_nothing(guarded: Stack, lone_access: Path) -> None:
    """Not knowing the keys is not the same as having none."""
    for name in ("keys.json", "users.json"):
        (lone_access / name).write_text('{"schema": 1,')
    user = guarded.container("nginx").attrs["Config"]["User"]
    with LoneDoor(lone_access, user) as door:
        assert requests.get(f"{door.url}/v1/models", timeout=30).status_code == 401
        assert requests.get(f"{door.url}/config", timeout=30).status_code == 401


def test_a_folder_that_nginx_may_not_read_any_more_opens_nothing(guarded: Stack, lone_access: Path) -> None:
    user = guarded.container("nginx").attrs["Config"]["User"]
    with LoneDoor(lone_access, user) as door:
        assert requests.get(f"{door.url}/v1/models", timeout=30).status_code == 401
        lone_access.chmod(0)
        try:
            wait_until(lambda: "cannot be used" in door.log(), "nginx says so", deadline_s=20)
            assert requests.get(f"{door.url}/v1/models", timeout=30).status_code == 401
            assert requests.get(f"{door.url}/config", timeout=30).status_code == 401
        finally:
            lone_access.chmod(0o700)


def test_openai_client(guarded: Stack, reader: Caller) -> None:
    client = openai.OpenAI(base_url=f"{guarded.url}/v1", api_key=reader.key, max_retries=0)
    asked: dict[str, Any] = {"model": "tgi", "max_tokens": 5, "temperature": 0}
    assert [model.id for model in client.models.list()] == [MODEL]
    whole = client.chat.completions.create(messages=CHAT, **asked)
    with client.chat.completions.create(messages=CHAT, stream=True, **asked) as stream:
        text = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    assert text == whole.choices[0].message.content
    assert client.completions.create(prompt=COUNTING, **asked).usage.completion_tokens == 5

    with pytest.raises(openai.AuthenticationError) as failed:
        client.with_options(api_key=f"{reader.key}x").models.list()
    assert failed.value.code == "invalid_api_key"


def test_openai_client_learns_when_to_come_back(guarded: Stack) -> None:
    with caller(guarded, "hasty", "--rpm", "1") as made:
        client = openai.OpenAI(base_url=f"{guarded.url}/v1", api_key=made.key, max_retries=0)
        client.completions.create(model="tgi", prompt=COUNTING, max_tokens=1)
        with pytest.raises(openai.RateLimitError) as failed:
            client.completions.create(model="tgi", prompt=COUNTING, max_tokens=1)
    assert failed.value.code == "rate_limit_exceeded"
    assert int(failed.value.response.headers["retry-after"]) >= 1


def test_hugging_face_client(guarded: Stack, reader: Caller) -> None:
    routes = huggingface_hub.InferenceClient(model=guarded.url, token=reader.key)
    whole = routes.text_generation(COUNTING, max_new_tokens=5, do_sample=False)
    pieces = routes.text_generation(COUNTING, max_new_tokens=5, do_sample=False, stream=True)
    assert COUNTING + "".join(pieces) == whole
    openai_like = huggingface_hub.InferenceClient(base_url=guarded.url, token=reader.key)
    answer = openai_like.chat_completion(CHAT, max_tokens=3, temperature=0)
    assert answer.usage.completion_tokens == 3

    stranger = huggingface_hub.InferenceClient(model=guarded.url, token=f"{reader.key}x")
    for stream in (False, True):
        with pytest.raises(huggingface_hub.errors.HfHubHTTPError, match="401") as refused:
            stranger.text_generation(COUNTING, max_new_tokens=5, stream=stream)
        assert refused.value.response.status_code == 401
        assert not isinstance(refused.value, huggingface_hub.errors.TextGenerationError)


def test_hugging_face_client_learns_what_it_asked_too_much_of(guarded: Stack) -> None:
    errors = huggingface_hub.errors
    for option, limit, raised in (
        ("--rpm", "1", errors.OverloadedError),
        ("--daily-tokens", "1", errors.HfHubHTTPError),
    ):
        with caller(guarded, "hasty", option, limit) as made:
            client = huggingface_hub.InferenceClient(model=guarded.url, token=made.key)
            client.text_generation(COUNTING, max_new_tokens=2)
            with pytest.raises(raised) as refused:
                client.text_generation(COUNTING, max_new_tokens=2)
            assert not isinstance(refused.value, errors.UnknownError)


def replace(file: Path, text: str) -> None:
    """Changes a table in one step, as the command line does, for the same owner."""
    owner, new = file.stat(), file.with_name(".by-hand")
    new.write_text(text)
    new.chmod(0o600)
    os.chown(new, owner.st_uid, owner.st_gid)
    new.rename(file)
