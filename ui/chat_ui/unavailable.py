"""What API clients are told when the engine is out of reach: OpenAI's or TGI's shape, with the stage.

nginx asks for it when a call to the engine has failed. The cases read differently: the model is being
prepared or loaded, the engine restarts, nothing of it runs, or it answers again by now.
"""

from __future__ import annotations

from typing import Any, Literal

Shape = Literal["openai", "tgi"]

RETRY_AFTER_SECONDS = 5
# why: a client should not sleep through the end of a download because an early estimate was poor
RETRY_AFTER_MOST_SECONDS = 60

_CODES = {
    "failed": "model_failed",
    "restarting": "engine_restarting",
    "gone": "engine_gone",
    "ready": "engine_unavailable",
}


def body(shape: Shape, status: dict[str, Any]) -> dict[str, Any]:
    """The JSON body for the engine's absence, given the status document."""
    stage = _stage(status)
    message = _message(stage, status)
    code = _CODES.get(stage, "model_not_ready")
    if shape == "tgi":
        # none of TGI's own error types: of any other its clients make an error without a name
        return {"error": message, "code": code}
    return {"error": {"message": message, "type": "service_unavailable", "param": None, "code": code}}


def retry_after(status: dict[str, Any]) -> int:
    """Seconds after which to ask again: the time that the download still needs, within bounds."""
    eta = (status.get("model") or {}).get("eta_s")
    if status["state"] != "downloading" or isinstance(eta, bool) or not isinstance(eta, int | float):
        return RETRY_AFTER_SECONDS
    return int(min(max(eta, RETRY_AFTER_SECONDS), RETRY_AFTER_MOST_SECONDS))


def _stage(status: dict[str, Any]) -> str:
    """The appliance's state, and once all is up to the engine the engine's own."""
    return str(status["engine"]["phase"] if status["state"] == "loading" else status["state"])


def _message(stage: str, status: dict[str, Any]) -> str:
    if stage == "ready":
        return "The engine could not be reached (stage: ready); try again"
    text = f"The engine is not available (stage: {stage}): {status['message']}"
    model = status.get("model") or {}
    done, total = model.get("bytes_done"), model.get("bytes_total")
    if stage == "downloading" and isinstance(done, int) and isinstance(total, int) and total > 0:
        text += f" ({100 * done // total}%)"
    return text
