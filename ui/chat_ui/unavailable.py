"""What API clients are told when the engine is out of reach: OpenAI's or TGI's shape, with the stage."""

from __future__ import annotations

from typing import Any, Literal

Shape = Literal["openai", "tgi"]

RETRY_AFTER_SECONDS = 5
# why: a client should not sleep through the end of a download because an early estimate was poor
RETRY_AFTER_MOST_SECONDS = 60


def body(shape: Shape, status: dict[str, Any]) -> dict[str, Any]:
    """The JSON body for the engine's absence, given the status document."""
    message = _message(status)
    if shape == "tgi":
        return {"error": message, "error_type": "healthcheck"}
    code = "model_failed" if status["state"] == "failed" else "model_not_ready"
    return {"error": {"message": message, "type": "service_unavailable", "param": None, "code": code}}


def retry_after(status: dict[str, Any]) -> int:
    """Seconds after which to ask again: the time that the download still needs, within bounds."""
    eta = (status.get("model") or {}).get("eta_s")
    if status["state"] != "downloading" or isinstance(eta, bool) or not isinstance(eta, int | float):
        return RETRY_AFTER_SECONDS
    return int(min(max(eta, RETRY_AFTER_SECONDS), RETRY_AFTER_MOST_SECONDS))


def _message(status: dict[str, Any]) -> str:
    state = status["state"]
    if state == "ready":
        return "The engine could not be reached (stage: ready); try again"
    text = f"The engine is not available (stage: {state}): {status['message']}"
    model = status.get("model") or {}
    done, total = model.get("bytes_done"), model.get("bytes_total")
    if state == "downloading" and isinstance(done, int) and isinstance(total, int) and total > 0:
        text += f" ({100 * done // total}%)"
    return text
