"""A plan as a table for people and as JSON. Pure."""

from typing import Any

from rich.console import Console
from rich.table import Table

from appliance_cli.base.output import size
from appliance_cli.gpu.planning import GIB, MIB
from appliance_cli.gpu.planning.plan import Plan
from appliance_cli.host.checks import IMAGES_DISK


def content(plan: Plan) -> dict[str, Any]:
    """Everything, memory in bytes."""
    request, fixed = plan.request, plan.fixed
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
        "cuda_graphs": fixed.graphs,
        "kv_bytes_per_token": plan.kv_bytes,
        "kv_tokens": plan.kv_tokens,
        "used_at_most": plan.used,
        "users_at_full_length": plan.full_users,
        "tokens_per_user": plan.max_total_tokens,
        "disk_model": plan.disk_model,
        "disk_total": _disk_total(plan),
        "host_memory": plan.host_memory,
        "settings": plan.settings,
    }


def summary(plan: Plan) -> str:
    """One line: what runs where, and what is left for conversations."""
    used = f"{plan.used / GIB:.1f} of {plan.request.card.total / GIB:.1f} GiB"
    return f"{_title(plan)}: {used} at most, KV cache for {plan.kv_tokens:,} tokens"


def table(plan: Plan) -> str:
    """Memory line by line, then what it serves, then the settings."""
    request, fixed = plan.request, plan.fixed
    graphs = f"for batches of {', '.join(map(str, request.cuda_graphs))}" if request.cuda_graphs else "off"
    cache = plan.kv_tokens * plan.kv_bytes
    view = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for justify in ("left", "right", "left"):
        view.add_column(justify=justify)
    for name, count, note in (
        ("Weights", plan.weights.total, f"{request.mode}; embedding and head stay 16-bit"),
        ("CUDA context", fixed.context, "estimate"),
        ("Attention workspace", fixed.workspace, "estimate"),
        ("Activations", fixed.activations, f"one prefill of {plan.max_batch_prefill_tokens} tokens"),
        ("CUDA graphs", fixed.graphs, f"estimate, {graphs}"),
        ("KV cache", cache, f"{plan.kv_tokens:,} tokens at {plan.kv_bytes:,} bytes"),
        ("In use at most", plan.used, f"of {request.card.total / GIB:.1f} GiB"),
    ):
        view.add_row(name, f"{count / MIB:,.0f} MiB", note)
    console = Console(width=120, color_system=None)
    with console.capture() as captured:
        console.print(view)
    return "\n".join(
        [_title(plan), "", *(line.rstrip() for line in captured.get().splitlines()), "", *_use(plan)]
    )


def _title(plan: Plan) -> str:
    request = plan.request
    where = f"{request.shards} × {request.card.name}" if request.shards > 1 else request.card.name
    each = ", each card" if request.shards > 1 else ""
    size_b = f"{request.model.parameters / 1e9:.2f} B parameters"
    return f"{request.model_id} ({size_b}) in {request.mode} on {where}{each}"


def _disk_total(plan: Plan) -> int:
    return plan.disk_model + IMAGES_DISK["gpu"]


def _use(plan: Plan) -> list[str]:
    users = f"{plan.full_users} user{'s' if plan.full_users > 1 else ''} × {plan.max_total_tokens} tokens"
    return [
        f"Serves       {users} at the same time, more when they are shorter",
        f"Disk         {size(plan.disk_model)}, with all images {size(_disk_total(plan))}",
        f"Host memory  {size(plan.host_memory)} while loading (the weights' file cache counted)",
        "",
        *(f"{key}={value}" for key, value in plan.settings.items()),
    ]
