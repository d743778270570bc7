"""A plan as a table for people and as JSON. Pure."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from appliance_cli.base.output import size
from appliance_cli.gpu.planning import GIB, MIB, people, speed
from appliance_cli.gpu.planning.people import People
from appliance_cli.gpu.planning.plan import Plan, with_older_kernels
from appliance_cli.host.checks import IMAGES_DISK


def content(plan: Plan, crowd: People) -> dict[str, Any]:
    """Everything, memory in bytes, times in seconds."""
    request, fixed = plan.request, plan.fixed
    older = with_older_kernels(plan)
    return {
        "model_id": request.model_id,
        "parameters": request.model.parameters,
        "mode": request.mode,
        "card": {
            "name": request.card.name,
            "total": request.card.total,
            "usable": request.card.usable,
            "used_by_others": request.card.used,
            "count": request.shards,
        },
        "weights": {**vars(plan.weights), "total": plan.weights.total},
        "cuda_context": fixed.context,
        "attention_workspace": fixed.workspace,
        "activations": fixed.activations,
        "loading_leaves": fixed.loading,
        "cuda_graphs": fixed.graphs,
        "cuda_graph_sizes": list(plan.cuda_graphs),
        "serving": fixed.serving,
        "kv_bytes_per_token": plan.kv_bytes,
        "kv_tokens": plan.kv_tokens,
        "used_at_most": plan.used,
        "used_without_fast_kernels": older.used if older else None,
        "hard_ceiling": plan.ceiling,
        "users_at_full_length": plan.full_users,
        "tokens_per_user": plan.max_total_tokens,
        "people": {
            **asdict(crowd),
            "estimate": _source(plan, crowd),
            "compare": people.ARTICLE,
        },
        "choices": [
            {
                "setting": choice.setting,
                "kv_tokens": choice.plan.kv_tokens,
                "users_at_full_length": choice.plan.full_users,
                "remark": choice.remark,
            }
            for choice in people.choices(plan)
        ],
        "disk_model": plan.disk_model,
        "disk_total": _disk_total(plan),
        "host_memory": plan.host_memory,
        "settings": plan.settings,
    }


def summary(plan: Plan) -> str:
    """One line: what runs where, and what is left for conversations."""
    used = f"{plan.used / GIB:.1f} of {plan.request.card.total / GIB:.1f} GiB"
    return f"{_title(plan)}: {used} at most, KV cache for {plan.kv_tokens:,} tokens"


def table(plan: Plan, crowd: People) -> str:
    """Memory line by line, then whom it serves and how fast, then other choices and the settings."""
    parts = [
        [_title(plan)],
        _memory(plan),
        _people(plan, crowd),
        _budgets(plan, crowd),
        _choices(plan),
        _use(plan),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part)


def _title(plan: Plan) -> str:
    request = plan.request
    where = f"{request.shards} × {request.card.name}" if request.shards > 1 else request.card.name
    each = ", each card" if request.shards > 1 else ""
    size_b = f"{request.model.parameters / 1e9:.2f} B parameters"
    return f"{request.model_id} ({size_b}) in {request.mode} on {where}{each}"


def _disk_total(plan: Plan) -> int:
    return plan.disk_model + IMAGES_DISK["gpu"]


def _memory(plan: Plan) -> list[str]:
    request, fixed = plan.request, plan.fixed
    graphs = f"steps of up to {max(plan.cuda_graphs)} answers" if plan.cuda_graphs else "off"
    rows = (
        f"a prefill of {plan.max_batch_prefill_tokens} tokens, {plan.max_concurrent_requests} answers sampled"
    )
    fraction = plan.settings["CUDA_MEMORY_FRACTION"]
    promised = f"{'at least ' if request.card.guessed else ''}{plan.kv_tokens:,} tokens"
    older = with_older_kernels(plan)
    if_missing = (
        [
            (
                "  older kernels",
                older.used,
                "where model-init cannot fetch the fast ones; FAST_NF4=0 plans with that",
            )
        ]
        if older
        else []
    )
    lines = (
        ("Weights", plan.weights.total, f"{request.mode}; embedding and head stay 16-bit"),
        ("CUDA and attention", fixed.context + fixed.workspace, "context and workspace"),
        ("CUDA graphs", fixed.graphs, graphs),
        ("Serving", fixed.serving, rows),
        ("KV cache", plan.kv_tokens * plan.kv_bytes, f"{promised} at {plan.kv_bytes:,} bytes"),
        (
            "In use at most",
            plan.used,
            f"of {request.card.total / MIB:,.0f}, by nvidia-smi in the measured loads",
        ),
        *if_missing,
        ("Hard ceiling", plan.ceiling, f"{fraction} of the card and the CUDA context"),
    )
    return [f"{name:<20}{count / MIB:>7,.0f} MiB  {note}" for name, count, note in lines]


def _people(plan: Plan, crowd: People) -> list[str]:
    lengths = (
        f"{crowd.full} × {plan.max_total_tokens:,} tokens, {crowd.at_once} × {crowd.prompt + crowd.answer:,}"
    )
    holds = f"the speed holds up to {crowd.fast}" if crowd.fast else "no CUDA graphs"
    lines = [f"At once             {lengths}, before one waits; {holds}"]
    if not crowd.crowds:
        return [*lines, f"Speed               not estimated: {crowd.unknown or 'there is no room'}"]
    lines.append(_source(plan, crowd))
    rows = [
        (
            f"{each.people}",
            f"{each.each:,.0f} tokens/s",
            f"{each.together:,.0f} tokens/s",
            f"{each.last_first_token:.2g} s",
        )
        for each in crowd.crowds
    ]
    lines += _columns(("people", "each", "together", "first token, the last one's"), rows)
    return [*lines, f"  Beside it: {people.ARTICLE}"]


def _source(plan: Plan, crowd: People) -> str:
    if crowd.unknown:
        return ""
    card = plan.request.card
    assert card.bandwidth is not None and card.compute is not None
    own = f"{card.bandwidth / 1e9:,.0f} of 3,350 GB/s, {card.compute / 1e12:.0f} of 989 TFLOPS"
    mode = (
        ""
        if speed.is_measured(plan.request.format_)
        else "; this mode was not measured, bf16's steps stand in"
    )
    asked = f"{crowd.prompt} tokens in, {crowd.answer} out"
    return f"Speed, {asked}: an estimate from {people.MEASURED_ON}, scaled ({own}{mode})"


def _budgets(plan: Plan, crowd: People) -> list[str]:
    rows = [
        (
            f"{budget.tokens:,}{' (this plan)' if budget.tokens == plan.max_batch_prefill_tokens else ''}",
            f"{budget.kv_tokens:,} tokens",
            "?" if budget.pause is None else f"{budget.pause:.2g} s",
            f"{budget.crowd_share:.0%}",
        )
        for budget in crowd.budgets
    ]
    titles = ("prefill budget", "KV cache", "others pause for a 7,000-token prompt", "a full crowd's speed")
    return _columns(titles, rows) if rows else []


def _choices(plan: Plan) -> list[str]:
    return [
        f"{choice.setting:<26}{choice.plan.kv_tokens:,} tokens, "
        f"{choice.plan.full_users} × {choice.plan.max_total_tokens:,}: {choice.remark}"
        for choice in people.choices(plan)
    ]


def _use(plan: Plan) -> list[str]:
    disk = f"{size(plan.disk_model)}, with all images {size(_disk_total(plan))}"
    return [
        f"Disk {disk}; host memory {size(plan.host_memory)} while loading",
        *(f"{key}={value}" for key, value in plan.settings.items()),
    ]


def _columns(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    return [
        "  " + "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in (titles, *rows)
    ]
