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
LEAST_GRAPHS = 32
SHORT_TOKENS = 640
"""A short conversation: a question of 512 tokens and an answer of 128, as the measured crowds had them."""


@dataclass(frozen=True)
class Request:
    """What is to be planned. ``users`` each with ``tokens`` of prompt and answer; ``target`` caps TGI's
    bytes.

    ``card`` is one of ``shards`` equal ones. ``files_bytes``: size of the checkpoint, where its files were
    read. ``fraction``, ``prefill`` and ``concurrent`` are the operator's own --cuda-memory-fraction,
    --max-batch-prefill-tokens and --max-concurrent-requests. ``cuda_graphs``: the sizes that may be used.
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
    concurrent: int | None = None
    kv_element_bytes: int = 2
    shards: int = 1
    speculate: int = 0
    cuda_graphs: Sequence[int] = memory.CUDA_GRAPHS
    fast_nf4: bool = False
    files_bytes: int | None = None


@dataclass(frozen=True)
class Plan:
    """The numbers, bytes on one card. ``problems`` is empty when everything fits.

    ``used``: the most that `nvidia-smi` shows in the measured loads; ``ceiling``: what it can never pass.
    """

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
    cuda_graphs: tuple[int, ...]
    used: int
    ceiling: int
    disk_model: int
    host_memory: int
    problems: tuple[str, ...]

    @property
    def full_users(self) -> int:
        """How many can hold a conversation of the longest allowed length at the same time."""
        return self.users_with(self.max_total_tokens)

    @property
    def fast_users(self) -> int:
        """Up to how many answers at a time a decode step is a CUDA graph; 0 without graphs."""
        return max(self.cuda_graphs, default=0) // (1 + self.request.speculate)

    def users_with(self, tokens: int) -> int:
        """How many conversations of ``tokens`` are answered at once before one waits."""
        return min(self.kv_tokens // tokens, self.max_concurrent_requests)

    @property
    def settings(self) -> dict[str, str]:
        """The .env keys that follow."""
        thousandths = f"{self.fraction:.3f}"
        return {
            "CUDA_MEMORY_FRACTION": thousandths.removesuffix("0"),
            "MAX_INPUT_TOKENS": str(self.max_input_tokens),
            "MAX_TOTAL_TOKENS": str(self.max_total_tokens),
            "MAX_BATCH_PREFILL_TOKENS": str(self.max_batch_prefill_tokens),
            "MAX_CONCURRENT_REQUESTS": str(self.max_concurrent_requests),
            "ENGINE_MEMORY": f"{-(-self.host_memory // GIB)}g",
        }


def make(request: Request) -> Plan:
    """Work it out with the largest prefill budget up to 4096, and the largest graphs, that have room.

    Both cost cache, so a budget of 4096 needs 128 short conversations in it, one of 2048 needs 64, and so on;
    a smaller budget is also tried where what was asked for does not fit otherwise.
    """
    budgets = [request.prefill] if request.prefill else _budgets(_max_input(request), request.speculate)
    plans = [_with_budget(request, budget) for budget in budgets]
    fitting = [plan for plan in plans if not plan.problems]
    roomy = (plan for plan in fitting if _holds(plan) >= plan.max_batch_prefill_tokens // 32)
    return next(roomy, (fitting or plans)[-1])


def with_older_kernels(plan: Plan) -> Plan | None:
    """What the same settings come to where the fast kernels are missing; None where none are wanted."""
    request = plan.request
    if not (request.fast_nf4 and request.format_ == "nf4"):
        return None
    rows = plan.max_concurrent_requests
    older = replace(request, fast_nf4=False, target=None, fraction=plan.fraction, concurrent=rows)
    return _with_graphs(older, plan.max_batch_prefill_tokens, plan.cuda_graphs)


def _with_budget(request: Request, budget: int) -> Plan:
    """With the most graphs whose rows the cache can fill with short conversations, or that ``users`` need."""
    sizes = tuple(request.cuda_graphs)
    plan = _with_graphs(request, budget, sizes)
    while len(sizes) > 1 and sizes[-1] > LEAST_GRAPHS and sizes[-2] >= request.users:
        if sizes[-1] <= _holds(plan) and plan.used <= plan.ceiling:
            break
        sizes = sizes[:-1]
        plan = _with_graphs(request, budget, sizes)
    return plan


def _with_graphs(request: Request, budget: int, sizes: tuple[int, ...]) -> Plan:
    model, shards, fast = request.model, request.shards, request.fast_nf4
    weights = tgi_weights(model, request.format_, shards)
    rows = request.concurrent or max(sizes, default=max(memory.CUDA_GRAPHS)) // (1 + request.speculate)
    fixed = memory.Fixed(
        context=memory.CUDA_CONTEXT,
        workspace=memory.ATTENTION_WORKSPACE,
        weights=weights.total,
        activations=memory.activations(model, budget, request.format_, shards),
        loading=memory.loading(model, request.format_, shards),
        graphs=memory.graphs(model, request.format_, sizes, shards, fast),
        serving=memory.serving(model, budget, rows, request.format_, shards, fast),
    )
    total, longest = _max_total(request), _max_input(request)
    kv_bytes = kv_bytes_per_token(model, request.kv_element_bytes) // shards
    warmup = memory.warmup_tokens(budget, longest, total)
    cache = memory.Cache(kv_bytes, 2 * model.num_hidden_layers, warmup)
    # why: of a card that is not at hand the least is promised as cache, the most as memory in use
    least = memory.Device(request.card.usable, request.card.used)
    most = replace(least, total=request.card.largest)
    fraction = _fraction(request, most, fixed, cache)
    tokens = memory.kv_tokens(least, fraction, fixed, cache)
    used = memory.in_use(fixed, cache, max(tokens, memory.kv_tokens(most, fraction, fixed, cache)))
    checkpoint = request.files_bytes or checkpoint_bytes(model)
    draft = Plan(
        request=request,
        weights=weights,
        fixed=fixed,
        kv_bytes=kv_bytes,
        kv_tokens=tokens,
        fraction=fraction,
        max_input_tokens=longest,
        max_total_tokens=total,
        max_batch_prefill_tokens=budget,
        max_concurrent_requests=rows,
        cuda_graphs=sizes,
        used=used,
        ceiling=memory.ceiling(most, fraction),
        disk_model=checkpoint,
        host_memory=checkpoint + 9 * GIB,
        problems=(),
    )
    return replace(draft, problems=_problems(draft, least, cache))


def _problems(plan: Plan, device: memory.Device, cache: memory.Cache) -> tuple[str, ...]:
    """Why TGI would not start, or not serve what was asked for; gibibytes."""
    request, fixed = plan.request, plan.fixed
    warmup = fixed.context + fixed.allocated + cache.warmup_bytes
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
    elif plan.used > plan.ceiling:
        found.append(f"{_gib(plan.used)} GiB while serving; TGI may take {_gib(plan.ceiling)} GiB")
    elif plan.kv_tokens < request.users * plan.max_total_tokens:
        held = f"KV cache for {plan.kv_tokens} tokens"
        found.append(f"{held}, not for {request.users} × {plan.max_total_tokens}")
    elif request.users > plan.max_concurrent_requests:
        found.append(f"{plan.max_concurrent_requests} answers at a time, not {request.users}")
    return tuple(found)


def _holds(plan: Plan) -> int:
    return plan.kv_tokens // SHORT_TOKENS


def _fraction(request: Request, device: memory.Device, fixed: memory.Fixed, cache: memory.Cache) -> float:
    if request.fraction is not None:
        return request.fraction
    if request.target is not None:
        return memory.fraction_for(device, request.target, fixed, cache)
    return memory.whole_card_fraction(device)


def _max_total(request: Request) -> int:
    return request.tokens or min(DEFAULT_TOKENS, request.model.max_position_embeddings)


def _max_input(request: Request) -> int:
    """Seven eighths of the total are for the prompt, as 7168 of 8192."""
    return request.max_input or max(1, _max_total(request) * 7 // 8)


def _budgets(max_input: int, speculate: int) -> list[int]:
    """Prefill budgets to try, largest first.

    Speculation turns chunking off (models/model.py), and then the budget must hold the longest prompt; else a
    longer prompt is prefilled in steps, and the others read on between them.
    """
    if speculate:
        return [-(-(max_input + 1) // 256) * 256]
    halves = [DEFAULT_PREFILL >> step for step in range(4)]
    return [half for half in halves if half >= LEAST_PREFILL]


def _gib(count: float) -> str:
    return f"{count / GIB:.1f}"
