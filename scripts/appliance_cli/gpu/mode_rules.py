"""What cannot be combined, refused before anything starts. Pure; each refusal carries TGI's own reason.

TGI 3.3.7's rules, by file under server/text_generation_server: cli.py (`dtype` beside `quantize`),
utils/quantization.py and layers/marlin/gptq.py (awq, gptq), layers/attention/kv_cache.py (fp8 KV cache),
models/custom_modeling/flash_qwen2_modeling.py (sharding).
"""

from appliance_cli.base.errors import BadSetting
from appliance_cli.gpu.modes import LEAST_CAPABILITY, MODES, Mode
from appliance_cli.gpu.planning.architecture import Architecture
from appliance_cli.gpu.planning.cards import Card

FLASHINFER_HEAD_DIMS = (64, 128, 256)
NEWEST_BUILT = (9, 0)
"""TGI 3.3.7's kernels are compiled up to this; newer cards depend on embedded PTX, if there is any."""


def require_model(mode: Mode, model_id: str, model: Architecture) -> None:
    """Raise BadSetting when the checkpoint's own quantisation and the mode do not go together."""
    found = model.quantization
    if (found.method if found else None) == mode.checkpoint:
        if found is not None and found.method in ("awq", "gptq") and not found.marlin:
            raise _refused(
                f"{model_id} cannot be served fast enough",
                "4 or 8 bits in groups of 32, 64, 128 or all (what TGI's Marlin kernels run)",
                f"{found.bits} bits in groups of {found.group_size}, "
                f"{'symmetric' if found.symmetric else 'asymmetric'}",
                "choose a checkpoint of that kind, or the unquantised model with MODE=nf4",
            )
        return
    if mode.checkpoint:
        raise _refused(
            f"MODE={mode.name} needs a checkpoint that is quantised already",
            f"a model with quant_method {mode.checkpoint} in its config.json, such as {mode.model_id}",
            f"{model_id}: {found.method if found else 'unquantised'} (TGI: Cannot load "
            f"`{mode.checkpoint}` weight, make sure the model is already quantized)",
            f"set MODEL_ID={mode.model_id}, or MODE=nf4 for an unquantised model",
        )
    method = found.method if found else ""
    raise _refused(
        f"MODE={mode.name} needs an unquantised checkpoint",
        "a model without quantization_config in its config.json",
        f"{model_id}: {method} (TGI would look for tensors that this checkpoint does not have)",
        f"set MODE={method}" if method in MODES else f"set MODEL_ID={mode.model_id}",
    )


def require_card(mode: Mode, card: Card, *, fast_nf4: bool) -> tuple[str, ...]:
    """Warnings about a card; raises BadSetting for one whose generation the mode's kernels do not run on."""
    if card.capability is None:
        return ()
    if card.capability < mode.capability:
        raise _refused(
            f"MODE={mode.name} does not run on {card.name}",
            f"compute capability {_dotted(mode.capability)} or newer (RTX 30 series, A100)",
            f"{_dotted(card.capability)} (TGI's flash attention and {mode.name} kernels need more)",
            "use a newer card, or the CPU engine: --engine cpu",
        )
    if card.capability <= NEWEST_BUILT:
        return ()
    built = f"{_dotted(LEAST_CAPABILITY)} to {_dotted(NEWEST_BUILT)}"
    more = "" if fast_nf4 or mode.name != "nf4" else "; nor does its bitsandbytes 0.45.2: remove FAST_NF4=0"
    has = f"{card.name} has compute capability {_dotted(card.capability)}"
    return (f"{has}, and TGI 3.3.7 is compiled for {built}: not known to work{more}",)


def require_kv_cache(dtype: str | None, model: Architecture) -> None:
    """Raise BadSetting for a KV cache type that TGI would refuse when it allocates the cache."""
    if dtype is None:
        return
    if model.head_dim not in FLASHINFER_HEAD_DIMS:
        raise _refused(
            "KV_CACHE_DTYPE cannot be used with this model",
            f"heads of {', '.join(map(str, FLASHINFER_HEAD_DIMS))} (TGI: FP8 KV cache is currently only "
            "supported for flashinfer on CUDA and paged attention)",
            f"heads of {model.head_dim}, for which TGI does not use flashinfer",
            "remove KV_CACHE_DTYPE from .env",
        )


def require_shards(count: int, model: Architecture) -> None:
    """Raise BadSetting when a model cannot be split over so many cards."""
    group = model.quantization.group_size if model.quantization else 1
    counted = {
        "attention heads": model.num_attention_heads,
        "key/value heads": model.num_key_value_heads,
        "MLP columns": model.intermediate_size,
        "quantisation groups": model.intermediate_size // group if group > 0 else count,
    }
    odd = next((f"{number} {what}" for what, number in counted.items() if number % count), None)
    if odd:
        raise _refused(
            "TENSOR_PARALLEL cannot be used with this model",
            "a number of cards that divides the model (TGI: `num_heads` must be divisible by `num_shards`)",
            f"TENSOR_PARALLEL={count} and {odd}",
            "set TENSOR_PARALLEL=2 or 4, or use more engines in place of larger ones: TGI_REPLICAS",
        )


def _refused(title: str, expected: str, found: str, remedy: str) -> BadSetting:
    return BadSetting(title, expected=expected, found=found, remedy=remedy)


def _dotted(capability: tuple[int, int]) -> str:
    return f"{capability[0]}.{capability[1]}"
