"""On whose behalf the engine is asked: the person's name and the request's id, as nginx passed them on, and
in which conversation.

nginx decides who somebody is (it overwrites or removes what a client sends), limits, counts and logs the
engine's calls by the first two, and keeps a conversation with one engine by the third. Nothing here is a
decision about rights.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

USER_HEADER = "X-User"
REQUEST_ID_HEADER = "X-Request-ID"
CONVERSATION_HEADER = "X-Conversation-ID"
MAX_CHARS = 128


@dataclass(frozen=True)
class Caller:
    """Who asks, and in which of nginx's requests; None where nginx did not say, or not in good form.

    `conversation` is the conversation's id, None for a call that belongs to none.
    """

    user: str | None = None
    request_id: str | None = None
    conversation: str | None = None

    @classmethod
    def from_headers(cls, headers: Mapping[str, str]) -> Caller:
        """The caller of a request whose `headers` are found in any case (Starlette's and Gradio's are)."""
        return cls(_checked(headers.get(USER_HEADER)), _checked(headers.get(REQUEST_ID_HEADER)))

    def headers(self) -> dict[str, str]:
        """What goes along with each call to the engine made for this caller."""
        found = {
            USER_HEADER: self.user,
            REQUEST_ID_HEADER: self.request_id,
            CONVERSATION_HEADER: self.conversation,
        }
        return {name: value for name, value in found.items() if value is not None}


# for the service's own questions
NOBODY = Caller()


def _checked(value: str | None) -> str | None:
    """A value of printable ASCII that is not too long; None for any other."""
    return value if value and re.fullmatch(f"[ -~]{{1,{MAX_CHARS}}}", value) else None
