"""Who asks the service over HTTP, and reads its errors."""

from __future__ import annotations

from typing import Any

import aiohttp
from unit.openai_api import recorded

CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"
ASKED = {"messages": [{"role": "user", "content": "Say hello."}]}
STREAMED = {**ASKED, "stream": True}
DONE = b"data: [DONE]\n\n"


async def refusal(http: aiohttp.ClientSession, status: int, path: str = CHAT, **request: Any) -> Any:
    """What stands in the error with which a request is answered."""
    async with http.post(path, **request) as response:
        assert response.status == status, await response.text()
        assert response.content_type == "application/json"
        error = (await response.json())["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"]
    return {**error, "retry": response.headers.get("Retry-After")}


async def stream(http: aiohttp.ClientSession, body: Any = STREAMED, path: str = CHAT) -> list[Any]:
    async with http.post(path, json=body) as response:
        assert response.status == 200, await response.text()
        assert response.content_type == "text/event-stream"
        assert response.headers["X-Accel-Buffering"] == "no"
        return recorded.events(await response.read())
