"""What a hub's refusal means for us, whether it is of a list or of a file. Owns the words for it.

The list's refusals come as huggingface_hub's errors, the files' as bare answers (see `stream`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from ..errors import GatedModel, ModelInitError, ModelNotFound, NoNetwork, TransientError
from .place import Place
from .retry import asked_to_wait_s

_TRANSIENT_CODES = (408, 416, 425, 429)
# of 500 and more: not implemented, another HTTP, a login page's own
_LASTING_CODES = (501, 505, 511)


def by_status(
    place: Place, code: int, headers: Mapping[str, str], missing: str
) -> ModelInitError | TransientError:
    """The meaning of an answer's status; `missing` says what 404 and 410 mean, for people."""
    if code in _TRANSIENT_CODES or (code >= 500 and code not in _LASTING_CODES):
        return TransientError(f"the answer {code}", asked_to_wait_s(headers))
    if is_web_page(headers) and "x-error-code" not in headers:
        return web_page(place, code)
    if code in (401, 403):
        return GatedModel(
            f"not authorised: expected {place.endpoint} to accept our request, found {code}; check that the "
            "token (HF_TOKEN_FILE) is valid and may read this model"
        )
    if code in (404, 410):
        return ModelNotFound(missing)
    return no_network(place.endpoint, f"the answer {code}")


def is_web_page(headers: Mapping[str, str]) -> bool:
    """Whether the body is for a browser: no hub's API answers so."""
    return headers.get("content-type", "").lower().startswith("text/html")


def web_page(place: Place, code: int) -> NoNetwork:
    """Something in between answers: a company's filter, a login page, another server."""
    return no_network(
        place.endpoint, f"the answer {code} with a web page, as a filter or a login page in between gives it"
    )


def no_list(place: Place, found: str) -> NoNetwork:
    """The source answered our question for a list of files with something else."""
    return NoNetwork(
        f"no list of files: expected names, sizes and digests from {place.endpoint}, found {found}; use "
        "another of MODEL_SOURCES or another address for it"
    )


def no_such_model(place: Place) -> ModelNotFound:
    """The source says that it has none of this name that we may see."""
    return ModelNotFound(
        f"no such model: expected {place.model_id} on {place.endpoint}, found none (or a private one); "
        "correct MODEL_ID, or give a token that may read it (HF_TOKEN_FILE)"
    )


def gated(place: Place) -> GatedModel:
    """The Hub knows the model, and who asks may not have it."""
    if place.withheld:
        return GatedModel(
            f"gated model: {place.endpoint} wants a token for {place.model_id}, and yours (HF_TOKEN_FILE) is "
            "for the Hub alone, which did not answer; make the Hub reachable (HF_ENDPOINT, HTTPS_PROXY), or "
            "bring the files by hand (MODEL_SOURCE=folder)"
        )
    found = "the token's account has no access" if place.token else "no token"
    return GatedModel(
        f"gated model: expected access to {place.model_id}, found {found}; accept the licence at "
        f"{place.endpoint}/{place.model_id} and give a read token of that account (HF_TOKEN_FILE)"
    )


def untrusted(where: str, error: Exception) -> NoNetwork:
    """The certificate is none that we trust."""
    hint = "if a proxy inspects TLS, set CA_BUNDLE"
    if "not yet valid" in str(error):
        now = datetime.now(UTC).isoformat(timespec="minutes")
        hint = f"this machine's clock says {now}: set it right, then start again"
    return no_network(where, f"an untrusted certificate ({one_line(error)}); {hint}")


def no_network(where: str, found: str) -> NoNetwork:
    """The one message for a hub that can't be used."""
    return NoNetwork(
        f"no network: expected an answer from {where}, found: {found}. Check the connection and "
        "HTTPS_PROXY, set HF_ENDPOINT to a mirror, or bring the files by hand (MODEL_SOURCE=folder, or "
        "`import` of an export)"
    )


def one_line(error: BaseException) -> str:
    """An exception's text on one line."""
    return " ".join(str(error).split()) or "no reason given"
