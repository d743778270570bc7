"""The GPU engine's settings in .env, parsed once: MODE and what goes with it. Pure.

Whether they go together with a model and with cards is judged by `validate`, before anything starts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from appliance_cli.base.errors import BadSetting
from appliance_cli.config.table.modes import WHOLE_CARD
from appliance_cli.config.values import Values
from appliance_cli.gpu import mode_rules
from appliance_cli.gpu.modes import MODES, Mode
from appliance_cli.gpu.planning import GIB
from appliance_cli.gpu.planning.architecture import Architecture
from appliance_cli.gpu.planning.cards import Card
from appliance_cli.gpu.planning.memory import CUDA_GRAPHS


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


def parse(given: Mapping[str, str]) -> GpuSettings:
    """Settings from what the operator gave. Raises BadSetting for values that cannot work together."""
    values = Values.of(given)
    mode = MODES[values.text("MODE")]
    whole_card = values.text("TARGET_VRAM").lower() == WHOLE_CARD
    target = None if whole_card else values.given_number("TARGET_VRAM")
    settings = GpuSettings(
        mode=mode,
        model_id=values.given("MODEL_ID") or mode.model_id,
        kv_cache_dtype=values.given("KV_CACHE_DTYPE"),
        speculate=values.whole("SPECULATE"),
        lora_adapters=values.words("LORA_ADAPTERS"),
        fast_nf4=mode.name == "nf4" and values.text("FAST_NF4") == "1",
        tensor_parallel=values.whole("TENSOR_PARALLEL"),
        replicas=values.whole("TGI_REPLICAS"),
        gpu_devices=values.words("GPU_DEVICES") or values.words("GPU_DEVICE"),
        target_vram=None if target is None else round(target * GIB),
        fraction=values.given_number("CUDA_MEMORY_FRACTION"),
        max_total_tokens=values.given_whole("MAX_TOTAL_TOKENS"),
        max_input_tokens=values.given_whole("MAX_INPUT_TOKENS"),
        max_batch_prefill_tokens=values.given_whole("MAX_BATCH_PREFILL_TOKENS"),
        max_concurrent_requests=values.given_whole("MAX_CONCURRENT_REQUESTS"),
    )
    _require_consistent(settings, values)
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


def _require_consistent(settings: GpuSettings, values: Values) -> None:
    total, longest = settings.max_total_tokens, settings.max_input_tokens
    budget = settings.max_batch_prefill_tokens
    if total is not None and longest is not None and longest >= total:
        raise values.refused(
            "MAX_INPUT_TOKENS",
            f"less than MAX_TOTAL_TOKENS={total} (TGI: max_input_tokens must be < max_total_tokens)",
            remedy="lower MAX_INPUT_TOKENS or raise MAX_TOTAL_TOKENS in .env",
        )
    if settings.speculate and budget is not None and longest is not None and budget < longest:
        raise values.refused(
            "MAX_BATCH_PREFILL_TOKENS",
            f"at least MAX_INPUT_TOKENS={longest}: speculation turns TGI's prefill in steps off",
            title="MAX_BATCH_PREFILL_TOKENS cannot be used with SPECULATE",
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
