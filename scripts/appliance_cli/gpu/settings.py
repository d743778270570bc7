"""The GPU engine's settings in .env, parsed once: MODE and what goes with it. Pure.

Whether they go together with a model and with cards is judged by `validate`, before anything starts.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from appliance_cli.base.errors import BadSetting
from appliance_cli.config.appliance import MOST_CARDS
from appliance_cli.config.values import number, text, whole
from appliance_cli.gpu import mode_rules
from appliance_cli.gpu.modes import DEFAULT_MODE, Mode, mode_named
from appliance_cli.gpu.planning import GIB
from appliance_cli.gpu.planning.architecture import Architecture
from appliance_cli.gpu.planning.cards import Card
from appliance_cli.gpu.planning.memory import CUDA_GRAPHS

MOST_SPECULATED = 10
WHOLE_CARD = "all"
"""TARGET_VRAM's word for the whole card, which is also what it means to leave it out."""
_ADAPTER = re.compile(r"[A-Za-z0-9][\w.-]*=[\w./-]+")


@dataclass(frozen=True)
class GpuSettings:
    """What the operator chose. None: left to the planner or to TGI.

    ``target_vram`` is in bytes, ``lora_adapters`` holds NAME=FOLDER, ``gpu_devices`` indexes or UUIDs.
    ``fast_nf4`` is False for modes that call no 4-bit kernels.
    """

    mode: Mode
    model_id: str
    kv_cache_dtype: str | None = None
    speculate: int = 0
    lora_adapters: tuple[str, ...] = ()
    fast_nf4: bool = True
    tensor_parallel: int = 1
    replicas: int = 1
    gpu_devices: tuple[str, ...] = ()
    target_vram: int | None = None
    fraction: float | None = None
    max_total_tokens: int | None = None
    max_input_tokens: int | None = None
    max_batch_prefill_tokens: int | None = None
    max_concurrent_requests: int | None = None

    @property
    def cards_needed(self) -> int:
        """Cards that the engines occupy together."""
        return self.tensor_parallel * self.replicas

    @property
    def cuda_graphs(self) -> tuple[int, ...]:
        """Batch sizes with a CUDA graph; none with LoRA, whose adapters the graphs would leave out."""
        return () if self.lora_adapters else CUDA_GRAPHS


def parse(values: Mapping[str, str]) -> GpuSettings:
    """Settings from .env's keys (and the shell's, which the caller puts over them). Raises BadSetting."""
    mode = mode_named(text(values, "MODE") or DEFAULT_MODE)
    devices = text(values, "GPU_DEVICES") or text(values, "GPU_DEVICE")
    whole_card = text(values, "TARGET_VRAM").lower() == WHOLE_CARD
    target = None if whole_card else number(values, "TARGET_VRAM", 1, 1024)
    settings = GpuSettings(
        mode=mode,
        model_id=text(values, "MODEL_ID") or mode.model_id,
        kv_cache_dtype=text(values, "KV_CACHE_DTYPE") or None,
        speculate=whole(values, "SPECULATE", 0, MOST_SPECULATED) or 0,
        lora_adapters=_adapters(text(values, "LORA_ADAPTERS")),
        fast_nf4=mode.name == "nf4" and whole(values, "FAST_NF4", 0, 1) != 0,
        tensor_parallel=whole(values, "TENSOR_PARALLEL", 1, MOST_CARDS) or 1,
        replicas=whole(values, "TGI_REPLICAS", 1, MOST_CARDS) or 1,
        gpu_devices=tuple(part.strip() for part in devices.split(",") if part.strip()),
        target_vram=None if target is None else round(target * GIB),
        fraction=number(values, "CUDA_MEMORY_FRACTION", 0.05, 1),
        max_total_tokens=whole(values, "MAX_TOTAL_TOKENS", 2, 1_000_000),
        max_input_tokens=whole(values, "MAX_INPUT_TOKENS", 1, 1_000_000),
        max_batch_prefill_tokens=whole(values, "MAX_BATCH_PREFILL_TOKENS", 1, 1_000_000),
        max_concurrent_requests=whole(values, "MAX_CONCURRENT_REQUESTS", 1, 1_000_000),
    )
    _require_consistent(settings)
    return settings


def validate(settings: GpuSettings, model: Architecture, cards: Sequence[Card]) -> tuple[str, ...]:
    """Warnings; raises BadSetting for what TGI would refuse. ``cards``: those that were chosen."""
    mode_rules.require_model(settings.mode, settings.model_id, model)
    mode_rules.require_kv_cache(settings.kv_cache_dtype, model)
    if settings.tensor_parallel > 1:
        mode_rules.require_shards(settings.tensor_parallel, model)
    _require_cards(settings, cards)
    warnings: list[str] = []
    for card in cards:
        found = mode_rules.require_card(settings.mode, card, fast_nf4=settings.fast_nf4)
        warnings += [warning for warning in found if warning not in warnings]
    return (*warnings, *consequences(settings))


def consequences(settings: GpuSettings) -> tuple[str, ...]:
    """What the choices switch off, in words (TGI 3.3.7: launcher/src/main.rs, models/model.py)."""
    told = []
    if settings.lora_adapters:
        told.append("LORA_ADAPTERS: no prefix cache, and no CUDA graphs, so every token costs more")
    if settings.speculate:
        told.append(
            "SPECULATE: prompts are prefilled in one step, so the prefill budget holds the longest one"
        )
    if settings.kv_cache_dtype:
        told.append("KV_CACHE_DTYPE: twice the tokens; keys and values are rounded to 8 bits, without scales")
    return tuple(told)


def _require_consistent(settings: GpuSettings) -> None:
    total, longest = settings.max_total_tokens, settings.max_input_tokens
    budget = settings.max_batch_prefill_tokens
    if total is not None and longest is not None and longest >= total:
        raise BadSetting(
            "MAX_INPUT_TOKENS cannot be used",
            expected=f"less than MAX_TOTAL_TOKENS={total} (TGI: max_input_tokens must be < max_total_tokens)",
            found=str(longest),
            remedy="lower MAX_INPUT_TOKENS or raise MAX_TOTAL_TOKENS in .env",
        )
    if settings.speculate and budget is not None and longest is not None and budget < longest:
        raise BadSetting(
            "MAX_BATCH_PREFILL_TOKENS cannot be used with SPECULATE",
            expected=f"at least MAX_INPUT_TOKENS={longest}: speculation turns TGI's prefill in steps off",
            found=str(budget),
            remedy="remove MAX_BATCH_PREFILL_TOKENS from .env, or SPECULATE",
        )


def _require_cards(settings: GpuSettings, cards: Sequence[Card]) -> None:
    needed = settings.cards_needed
    if len(cards) < needed:
        raise BadSetting(
            "There are too few cards",
            expected=f"{needed}: {settings.replicas} engines of {settings.tensor_parallel} cards each",
            found=f"{len(cards)}: {', '.join(card.name for card in cards) or 'none'}",
            remedy="lower TENSOR_PARALLEL or TGI_REPLICAS, or name more cards: GPU_DEVICES=UUID,UUID",
        )
    sizes = {card.total for card in cards[:needed]}
    if settings.tensor_parallel > 1 and len(sizes) > 1:
        raise BadSetting(
            "TENSOR_PARALLEL needs equal cards",
            expected="cards of the same memory: each holds an equal part, and the smallest decides",
            found=", ".join(f"{card.name} ({card.total / GIB:.0f} GiB)" for card in cards[:needed]),
            remedy="name equal ones in GPU_DEVICES, or use TGI_REPLICAS: one engine a card",
        )


def _adapters(text: str) -> tuple[str, ...]:
    pairs = tuple(part.strip() for part in text.split(",") if part.strip())
    for pair in pairs:
        if not _ADAPTER.fullmatch(pair):
            raise BadSetting(
                "LORA_ADAPTERS cannot be used",
                expected="NAME=FOLDER[,NAME=FOLDER…], each folder below /models: the engine reaches no hub",
                found=repr(pair),
                remedy="bring the adapter into the models volume, then for example sql=adapters/sql-lora",
            )
    return pairs
