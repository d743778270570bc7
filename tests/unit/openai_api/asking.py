"""Who asks the service over HTTP, and reads its errors."""

from __future__ import annotations

from typing import Any

import aiohttp

CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"


async def refusal(http: aiohttp.ClientSession, status: int, path: str = CHAT, **request: Any) -> Any:
    """What stands in the error with which a request is answered."""
    async with http.post(path, **request) as response:
        assert response.status == status, await response.text()
        assert response.content_type == "application/json"
        error = (await response.json())["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"]
    return {**error, "retry": response.headers.get("Retry-After")}
