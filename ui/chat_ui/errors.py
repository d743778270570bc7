"""What can go wrong, as a tree.

    ChatUIError
    ├── SettingsError        a setting is missing or malformed                     → exit code 2
    ├── MessageTooLong       the newest message alone is over the engine's budget  → message back in its box
    └── EngineError          the engine did not give a whole answer                → note under the question
        ├── BudgetSpent         the person's tokens for today are used up (nginx's 429)
        ├── EngineBusy          its queue is full, whoever asks (TGI's 429, "overloaded")
        ├── EngineUnavailable   it can't be reached, or is still loading (503)
        ├── GenerationFailed    it failed while generating (424, 500)
        ├── RateLimited         the person asked too often in a minute (nginx's 429)
        ├── RequestRejected     it refused the request (422 validation or template)
        ├── StreamCut           the answer stopped before its end
        └── TooManyRunning      the person has too many answers under way (nginx's 429)

Each class's `text_key` names its text in `messages.py`; the translation happens once, in `chat.py`. Why an
engine is unavailable (loading, restarting, gone) is for `status.py` to find out.
"""

from __future__ import annotations


class ChatUIError(Exception):
    """Base of everything that this package raises on purpose."""


class SettingsError(ChatUIError):
    """An environment variable is missing or malformed: "NAME: expected …, found …, do …"."""


class MessageTooLong(ChatUIError):
    """The newest message does not fit even when every older one is left out.

    Attributes (tokens):
        given: the message with the system prompt and the chat format.
        limit: what fits beside `max_new_tokens` kept for the answer.
    """

    def __init__(self, given: int, limit: int, max_new_tokens: int) -> None:
        super().__init__(f"{given} tokens given, at most {limit} fit")
        self.given = given
        self.limit = limit
        self.max_new_tokens = max_new_tokens


class EngineError(ChatUIError):
    """The engine, or nginx in front of it, did not give a whole answer; the message is in its own words.

    Attributes:
        retry_after: seconds after which to ask again, where the answer said so.
    """

    text_key = "error_generation"

    def __init__(self, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class BudgetSpent(EngineError):
    """The person has used up the tokens that the operator allows in a day (UTC)."""

    text_key = "error_budget_spent"


class EngineBusy(EngineError):
    """As many requests as the engine accepts are already running or waiting: the question waits, too."""

    text_key = "error_busy"


class EngineUnavailable(EngineError):
    """Nothing answers at the engine's address, or it says that it is not ready."""

    text_key = "error_unavailable"


class GenerationFailed(EngineError):
    """The engine accepted the request and failed on it."""

    text_key = "error_generation"


class RateLimited(EngineError):
    """The person has sent more requests in the last minute than the operator allows."""

    text_key = "error_rate_limited"


class RequestRejected(EngineError):
    """The engine found the request invalid, which our own checks should have prevented."""

    text_key = "error_rejected"


class StreamCut(EngineError):
    """The stream ended without its final event."""

    text_key = "error_cut"


class TooManyRunning(EngineError):
    """As many of the person's answers as the operator allows at a time are already being written."""

    text_key = "error_too_many_running"
