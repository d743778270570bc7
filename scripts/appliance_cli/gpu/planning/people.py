"""A plan in people: how many are answered at once, how fast, and what another choice would change. Pure.

Speeds are speed.py's estimates; room is the plan's own.
"""

from dataclasses import dataclass, replace

from appliance_cli.gpu.planning import speed
from appliance_cli.gpu.planning.architecture import kv_bytes_per_token
from appliance_cli.gpu.planning.plan import Plan, Request, make

DEFAULT_PROMPT, DEFAULT_ANSWER = 512, 256
"""A question and an answer in tokens, as in the article that the appliance is compared with."""
BUDGETS = (2048, 4096, 8192)
LONG_PROMPT = 7000
MEASURED_ON = "TGI 3.3.7 on an NVIDIA H100"
ARTICLE = (
    "an article's RTX 4090 (transformers, 4-bit, 16 GB): 43 tokens/s, first token after 820 ms, 4 people"
)
_CROWDS = (1, 4, 16, 64)
# tokens/s of 128 people, H100, against the budget of 8,192 (docs/performance.md)
_CROWD_SHARE = {2048: 1977 / 2219, 4096: 2140 / 2219, 8192: 1.0}
BF16_TO_NF4 = 2840 / 2502
"""Tokens/s of 128 people, both with the whole of a 24 GB card, H200."""


@dataclass(frozen=True)
class Crowd:
    """So many people who ask at once and go on asking. Tokens a second; seconds to a first token."""

    people: int
    each: float
    together: float
    last_first_token: float


@dataclass(frozen=True)
class Budget:
    """A prefill budget: what it leaves as cache, how long others pause, a full crowd's share of the speed.

    ``pause`` (seconds, while a prompt of 7,000 tokens arrives) is None where the card's speed is not known.
    """

    tokens: int
    kv_tokens: int
    pause: float | None
    crowd_share: float


@dataclass(frozen=True)
class People:
    """``full``: longest conversations at once; ``at_once``: those of ``prompt`` and ``answer`` tokens.

    ``fast``: up to how many the speed holds. ``unknown`` says why there are no ``crowds``.
    """

    prompt: int
    answer: int
    full: int
    at_once: int
    fast: int
    first_token: float | None
    crowds: tuple[Crowd, ...]
    unknown: str
    budgets: tuple[Budget, ...]


@dataclass(frozen=True)
class Choice:
    """Another setting, what it gives, and what it costs."""

    setting: str
    plan: Plan
    remark: str


def of(plan: Plan, prompt: int = DEFAULT_PROMPT, answer: int = DEFAULT_ANSWER) -> People:
    """The plan for people who ask with ``prompt`` new tokens and read ``answer``."""
    at_once = plan.users_with(prompt + answer)
    job, machine, unknown = measurable(plan.request)
    crowds: tuple[Crowd, ...] = ()
    first = None
    if machine is not None:
        budget = plan.max_batch_prefill_tokens
        first = speed.first_token(job, machine, prompt, budget)
        sizes = sorted({size for size in (*_CROWDS, at_once) if size <= at_once})
        crowds = tuple(crowd(job, machine, size, prompt, answer, budget) for size in sizes)
    return People(
        prompt=prompt,
        answer=answer,
        full=plan.full_users,
        at_once=at_once,
        fast=plan.fast_users,
        first_token=first,
        crowds=crowds,
        unknown=unknown,
        budgets=() if plan.request.speculate else _budgets(plan.request, job, machine),
    )


def choices(plan: Plan) -> tuple[Choice, ...]:
    """What gives more room, or more speed to a crowd, on the same card."""
    request = plan.request
    whole = replace(request, target=None, fraction=None)
    found = []
    if request.target is not None or request.fraction is not None:
        found.append(("TARGET_VRAM=all", whole, "the rest of the card"))
    if request.kv_element_bytes == 2:
        rounded = "keys and values in 8 bits, no slower as measured"
        found.append(("KV_CACHE_DTYPE=fp8_e4m3fn", replace(request, kv_element_bytes=1), rounded))
    if request.format_ == "nf4" and not request.fast_nf4:
        kernels = "1.8 to 2.9 × as fast, as measured, when several are answered at once"
        found.append(("FAST_NF4=1", replace(request, fast_nf4=True), kernels))
    if request.format_ == "nf4":
        faster = f"faster for a crowd ({BF16_TO_NF4:.2f} × as measured on an H200), slower for one"
        found.append(("MODE=bf16", replace(whole, mode="bf16", format_="bf16"), faster))
    plans = [Choice(setting, make(changed), remark) for setting, changed, remark in found]
    return tuple(choice for choice in plans if not choice.plan.problems)


def doubts(plan: Plan) -> tuple[str, ...]:
    """Warnings about the operator's own numbers."""
    asked, fast = plan.request.concurrent, plan.fast_users
    if asked is None or not fast or asked <= fast:
        return ()
    slower = f"above {fast} answers at once every step runs without a CUDA graph"
    return (f"MAX_CONCURRENT_REQUESTS={asked}: {slower}, and all of them are slower",)


def measurable(request: Request) -> tuple[speed.Job, speed.Machine | None, str]:
    """The job, the card's speed, and why there is none."""
    token = kv_bytes_per_token(request.model, request.kv_element_bytes)
    job = speed.Job(request.model, request.format_, request.fast_nf4, token)
    machine = speed.machine(request.card)
    reasons = {
        "the card's bandwidth is not in the table": machine is None,
        "TENSOR_PARALLEL was not measured": request.shards > 1,
        "SPECULATE pays by how much an answer repeats": request.speculate > 0,
        "without CUDA graphs the PC's processor decides": not request.cuda_graphs,
    }
    unknown = next((reason for reason, holds in reasons.items() if holds), "")
    return job, None if unknown else machine, unknown


def crowd(
    job: speed.Job, machine: speed.Machine, people: int, prompt: int, answer: int, budget: int
) -> Crowd:
    """So many people who ask at once."""
    return Crowd(
        people=people,
        each=1 / speed.step(job, machine, people, prompt + answer // 2),
        together=speed.together(job, machine, people, prompt, answer, budget),
        last_first_token=speed.last_first_token(job, machine, people, prompt, answer, budget),
    )


def _budgets(request: Request, job: speed.Job, machine: speed.Machine | None) -> tuple[Budget, ...]:
    plans = [make(replace(request, prefill=budget)) for budget in BUDGETS]
    return tuple(
        Budget(
            tokens=plan.max_batch_prefill_tokens,
            kv_tokens=plan.kv_tokens,
            pause=None
            if machine is None
            else speed.pause(job, machine, LONG_PROMPT, plan.max_batch_prefill_tokens),
            crowd_share=_CROWD_SHARE[plan.max_batch_prefill_tokens],
        )
        for plan in plans
        if not plan.problems
    )
