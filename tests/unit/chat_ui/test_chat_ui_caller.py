"""What nginx says about who asks: taken when well-formed, dropped otherwise."""

from __future__ import annotations

import pytest
from starlette.datastructures import Headers

from chat_ui.caller import NOBODY, Caller


def caller(**headers: str) -> Caller:
    return Caller.from_headers(Headers({name.replace("_", "-"): value for name, value in headers.items()}))


def test_both_headers_are_taken_in_any_case() -> None:
    assert caller(X_User="alice@example.org", x_request_id="4fd1") == Caller("alice@example.org", "4fd1")


def test_without_headers_it_is_nobody() -> None:
    assert caller() == NOBODY
    assert NOBODY.headers() == {}


def test_what_is_known_goes_along() -> None:
    assert Caller("alice", "4fd1").headers() == {"X-User": "alice", "X-Request-ID": "4fd1"}
    assert Caller(None, "4fd1").headers() == {"X-Request-ID": "4fd1"}
    assert Caller(conversation="c7").headers() == {"X-Conversation-ID": "c7"}


@pytest.mark.parametrize("bad", ["", "a" * 129, "a\nb", "a\x00", "a\x7f", "\xe9", "a\tb"])
def test_what_is_not_printable_ascii_of_128_characters_is_dropped(bad: str) -> None:
    assert caller(X_User=bad, X_Request_ID="4fd1") == Caller(None, "4fd1")
    assert caller(X_User="alice", X_Request_ID=bad) == Caller("alice", None)


@pytest.mark.parametrize("good", ["a" * 128, "A. User (x)~", "4fd1-00"])
def test_what_is_printable_is_taken(good: str) -> None:
    assert caller(X_User=good) == Caller(good)
