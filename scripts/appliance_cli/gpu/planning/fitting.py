"""Refuses what cannot fit, with the numbers and the nearest setting that does. Pure.

`up` calls `fits` before the download.
"""

from collections.abc import Iterator
from dataclasses import replace

from appliance_cli.base.errors import HostNotReady
from appliance_cli.gpu.planning import GIB, known_models
from appliance_cli.gpu.planning.plan import DEFAULT_TOKENS, Plan, Request, make
from appliance_cli.gpu.planning.weights import FORMATS, Format

LEAST_TOKENS = 2048
_WHOLE, _HALVED = "TARGET_VRAM=all", "KV_CACHE_DTYPE=fp8_e4m3fn"
# Modes that quantise any unquantised checkpoint while loading it, most precise first.
_LOADED: tuple[tuple[str, Format], ...] = (("bf16", "bf16"), ("eetq", "eetq"), ("nf4", "nf4"))


def fits(request: Request) -> Plan:
    """The plan of a request that fits.

    Raises:
        HostNotReady: with what is needed, what there is, and the nearest setting that fits.
    """
    plan = make(request)
    if not plan.problems:
        return plan
    raise HostNotReady(
        f"{request.model_id} in {request.mode} does not fit on {request.card.name}",
        expected=f"room for {describe(request)}",
        found="\n".join(plan.problems),
        remedy=_remedy(request),
    )


def nearest(request: Request) -> tuple[str, Plan] | None:
    """What to set so that it fits, and the plan with it: the smallest change first, or None."""
    for change, candidate in _candidates(request):
        plan = make(candidate)
        if not plan.problems:
            return change, plan
    return None


def describe(request: Request) -> str:
    """The request in words."""
    tokens = request.tokens or min(DEFAULT_TOKENS, request.model.max_position_embeddings)
    who = f"{request.users} users × {tokens} tokens" if request.users > 1 else f"{tokens} tokens"
    cap = f" in {request.target / GIB:g} GiB" if request.target is not None else ""
    return f"the weights and {who}{cap}"


def _remedy(request: Request) -> str:
    found = nearest(request)
    if found is None:
        return "use a card with more memory, free what other programs hold of this one, or a smaller model"
    change, plan = found
    cache = (
        f"{plan.full_users} × {plan.max_total_tokens}" if plan.full_users > 1 else f"{plan.max_total_tokens}"
    )
    return f"{change} ({plan.weights.total / GIB:.1f} GiB of weights, room for {cache} tokens)"


def _candidates(request: Request) -> Iterator[tuple[str, Request]]:
    """Changes to try, the ones that cost the operator least first."""
    if request.fraction is not None:
        yield "no CUDA_MEMORY_FRACTION in .env", replace(request, fraction=None)
    if request.users > 1:
        yield from _roomier(request)
    yield from _shorter(request)
    if request.kv_element_bytes == 2:
        halved = replace(request, kv_element_bytes=1)
        yield _HALVED, halved
        yield from ((f"{_HALVED} and {text}", step) for text, step in _shorter(halved))
    if request.users > 1:
        users = make(request).full_users
        yield f"serve {users} at a time", replace(request, users=max(1, users))
    for mode, format_ in _smaller_modes(request):
        other = replace(request, mode=mode, format_=format_)
        yield f"MODE={mode}", other
        yield from ((f"MODE={mode} and {text}", step) for text, step in _shorter(other))
    if request.target is not None:
        yield _WHOLE, replace(request, target=None)
    for model_id in known_models.smaller(request.model_id):
        model = known_models.find(model_id)
        if model is not None:
            yield f"MODEL_ID={model_id}", replace(request, model_id=model_id, model=model, files_bytes=None)


def _roomier(request: Request) -> Iterator[tuple[str, Request]]:
    """More cache for the same conversations: the rest of the card, keys and values in 8 bits."""
    whole = replace(request, target=None)
    if request.target is not None:
        yield _WHOLE, whole
    if request.kv_element_bytes == 2:
        yield _HALVED, replace(request, kv_element_bytes=1)
        if request.target is not None:
            yield f"{_WHOLE} and {_HALVED}", replace(whole, kv_element_bytes=1)


def _shorter(request: Request) -> list[tuple[str, Request]]:
    """The same with shorter conversations, half by half."""
    longest = request.model.max_position_embeddings
    asked = request.tokens or min(DEFAULT_TOKENS, longest)
    lengths = (longest, *(asked >> step for step in range(1, 8)))
    return [
        (f"MAX_TOTAL_TOKENS={length}", replace(request, tokens=length, max_input=None))
        for length in lengths
        if LEAST_TOKENS <= length <= longest and length < asked
    ]


def _smaller_modes(request: Request) -> list[tuple[str, Format]]:
    order = [format_ for _, format_ in _LOADED]
    if request.format_ not in order:
        known = request.format_ in FORMATS and request.model.quantization is None
        return [("nf4", "nf4")] if known else []
    return list(_LOADED[order.index(request.format_) + 1 :])
