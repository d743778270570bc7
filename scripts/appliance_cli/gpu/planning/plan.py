"""A plan: one model in one mode on one card, its memory, and the TGI settings that follow. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from appliance_cli.config.table import default_of
from appliance_cli.gpu.planning import GIB, memory
from appliance_cli.gpu.planning.architecture import Architecture, kv_bytes_per_token
from appliance_cli.gpu.planning.cards import Card
from appliance_cli.gpu.planning.weights import Format, Weights, checkpoint_bytes, tgi_weights

DEFAULT_TOKENS = int(default_of("MAX_TOTAL_TOKENS"))
DEFAULT_PREFILL = int(default_of("MAX_BATCH_PREFILL_TOKENS"))
LEAST_PREFILL = 512
IMAGE_BYTES = 14_700_000_000
"""Disk for the appliance's images, TGI's 12 GB download among them."""


@dataclass(frozen=True)
class Request:
    """What is to be planned. ``users`` each with ``tokens`` of prompt and answer; ``target`` caps TGI's
    bytes.

    ``card`` is one of ``shards`` equal ones. ``files_bytes``: size of the checkpoint, where its files were
    read. ``fraction`` is a --cuda-memory-fraction that the operator fixed.
    """

    model_id: str
    model: Architecture
    mode: str
    format_: Format
    card: Card
    tokens: int | None = None
    users: int = 1
    target: int | None = None
    fraction: float | None = None
    prefill: int | None = None
    max_input: int | None = None
    kv_element_bytes: int = 2
    shards: int = 1
    speculate: bool = False
    cuda_graphs: Sequence[int] = memory.CUDA_GRAPHS
    fast_nf4: bool = False
    files_bytes: int | None = None


@dataclass(frozen=True)
class Plan:
    """The numbers, bytes on one card. ``problems`` is empty when everything fits."""

    request: Request
    weights: Weights
    fixed: memory.Fixed
    kv_bytes: int
    kv_tokens: int
    fraction: float
    max_input_tokens: int
    max_total_tokens: int
    max_batch_prefill_tokens: int
    max_concurrent_requests: int
    used: int
    disk_model: int
    host_memory: int
    problems: tuple[str, ...]

    @property
    def full_users(self) -> int:
        """How many can hold a conversation of the longest allowed length at the same time."""
        return self.kv_tokens // self.max_total_tokens

    @property
    def settings(self) -> dict[str, str]:
        """The .env keys that follow."""
        return {
            "CUDA_MEMORY_FRACTION": f"{self.fraction:.2f}",
            "MAX_INPUT_TOKENS": str(self.max_input_tokens),
            "MAX_TOTAL_TOKENS": str(self.max_total_tokens),
            "MAX_BATCH_PREFILL_TOKENS": str(self.max_batch_prefill_tokens),
            "MAX_CONCURRENT_REQUESTS": str(self.max_concurrent_requests),
            "ENGINE_MEMORY": f"{-(-self.host_memory // GIB)}g",
        }


def make(request: Request) -> Plan:
    """Work it out, with the largest prefill budget up to 8192 that leaves room for the KV cache asked for."""
    budgets = [request.prefill] if request.prefill else _budgets(_max_input(request), request.speculate)
    plans = [_with_budget(request, budget) for budget in budgets]
    return next((plan for plan in plans if not plan.problems), plans[-1])


def _with_budget(request: Request, budget: int) -> Plan:
    model, shards = request.model, request.shards
    weights = tgi_weights(model, request.format_, shards)
    fixed = memory.Fixed(
        context=memory.CUDA_CONTEXT,
        workspace=memory.ATTENTION_WORKSPACE,
        weights=weights.total,
        activations=memory.activations(model, budget, request.format_, shards),
        graphs=memory.graphs(model, request.format_, request.cuda_graphs, shards, request.fast_nf4),
    )
    device = memory.Device(request.card.usable, request.card.used)
    fraction = _fraction(request, device, fixed)
    kv_bytes = kv_bytes_per_token(model, request.kv_element_bytes) // shards
    tokens = memory.kv_tokens(device, fraction, fixed, kv_bytes, budget)
    total = _max_total(request)
    checkpoint = request.files_bytes or checkpoint_bytes(model)
    draft = Plan(
        request=request,
        weights=weights,
        fixed=fixed,
        kv_bytes=kv_bytes,
        kv_tokens=tokens,
        fraction=fraction,
        max_input_tokens=_max_input(request),
        max_total_tokens=total,
        max_batch_prefill_tokens=budget,
        max_concurrent_requests=min(512, max(32, 8 * (tokens // total))),
        used=memory.device_use(device, fixed, kv_bytes, tokens),
        disk_model=checkpoint,
        host_memory=checkpoint + 9 * GIB,
        problems=(),
    )
    return replace(draft, problems=_problems(draft, device))


def _problems(plan: Plan, device: memory.Device) -> tuple[str, ...]:
    """Why TGI would not start, or not serve what was asked for; gibibytes."""
    request, fixed = plan.request, plan.fixed
    warmup = fixed.context + fixed.allocated + plan.kv_bytes * plan.max_batch_prefill_tokens
    room = _gib(min(device.total - device.others, plan.fraction * device.total + fixed.context))
    found = []
    if request.target is not None and request.target > request.card.total - request.card.used:
        found.append(f"{_gib(request.target)} GiB are more than the card has free")
    if request.tokens is not None and request.tokens > request.model.max_position_embeddings:
        longest = request.model.max_position_embeddings
        found.append(f"{request.tokens} tokens are more than the model's {longest} positions")
    if plan.kv_tokens == 0:
        weights, prefill = _gib(plan.weights.total), _gib(warmup - plan.weights.total)
        need = f"{weights} GiB of weights, {prefill} GiB to prefill {plan.max_batch_prefill_tokens} tokens"
        found.append(f"{need}; TGI may take {room} GiB")
    elif request.target is not None and plan.used > request.target:
        found.append(f"{_gib(plan.used)} GiB with a prefill of {plan.max_batch_prefill_tokens} tokens")
    elif plan.kv_tokens < request.users * plan.max_total_tokens:
        cache = f"KV cache for {plan.kv_tokens} tokens"
        found.append(f"{cache}, not for {request.users} × {plan.max_total_tokens}")
    return tuple(found)


def _fraction(request: Request, device: memory.Device, fixed: memory.Fixed) -> float:
    if request.fraction is not None:
        return request.fraction
    if request.target is not None:
        return memory.fraction_for(device, request.target, fixed)
    return memory.whole_card_fraction(device, fixed)


def _max_total(request: Request) -> int:
    return request.tokens or min(DEFAULT_TOKENS, request.model.max_position_embeddings)


def _max_input(request: Request) -> int:
    """Seven eighths of the total are for the prompt, as 7168 of 8192."""
    return request.max_input or max(1, _max_total(request) * 7 // 8)


def _budgets(max_input: int, speculate: bool) -> list[int]:
    """Prefill budgets to try, largest first.

    Speculation turns chunking off (models/model.py), and then the budget must hold the longest prompt; else a
    longer prompt is prefilled in steps. Below 8192 in any case, which would only make the warm-up larger.
    """
    if speculate:
        return [-(-(max_input + 1) // 256) * 256]
    halves = [DEFAULT_PREFILL >> step for step in range(5)]
    return [half for half in halves if half >= LEAST_PREFILL]


def _gib(count: float) -> str:
    return f"{count / GIB:.1f}"
