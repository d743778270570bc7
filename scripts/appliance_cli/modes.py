"""The modes that MODE chooses, and what cannot be combined. Pure; refusals carry TGI's own reason.

TGI 3.3.7's rules, by file: server/text_generation_server/cli.py (`dtype` with `quantize`), models/__init__.py
(default dtypes), utils/quantization.py, layers/marlin/gptq.py (awq, gptq), layers/marlin/fp8.py,
layers/eetq.py, layers/bnb.py, layers/attention/kv_cache.py (fp8 KV cache), models/model.py (speculation),
launcher/src/main.rs (LoRA).
"""

from dataclasses import dataclass

from appliance_cli.errors import BadSetting
from appliance_cli.planning.architecture import Architecture
from appliance_cli.planning.cards import Card
from appliance_cli.planning.weights import Format
from appliance_cli.settings import TGI_IMAGE

FAST_NF4_IMAGE = "qwen-appliance/tgi-fast-nf4:local"
DEFAULT_MODE = "nf4"
KV_CACHE_DTYPES = ("fp8_e4m3fn", "fp8_e5m2")
FLASHINFER_HEAD_DIMS = (64, 128, 256)
LEAST_CAPABILITY = (8, 0)
"""TGI's flash attention and every mode's kernels need Ampere or newer."""
NEWEST_BUILT = (9, 0)
"""TGI 3.3.7's kernels are compiled up to this; newer cards depend on embedded PTX, if there is any."""


@dataclass(frozen=True)
class Mode:
    """One way to hold the weights. ``quantize`` and ``dtype`` are TGI's flags, None: the flag is not given.

    ``checkpoint``: the quantization that the model's own files must have, None: unquantised ones.
    ``weights_gib`` is what the default model's weights take; ``excludes`` says in words what it rules out.
    """

    name: str
    summary: str
    image: str
    model_id: str
    quantize: str | None
    dtype: str | None
    format_: Format
    checkpoint: str | None
    weights_gib: float
    capability: tuple[int, int]
    excludes: str

    @property
    def flags(self) -> tuple[str, ...]:
        """The launcher's flags that make the mode."""
        quantize = (f"--quantize={self.quantize}",) if self.quantize else ()
        return (*quantize, *((f"--dtype={self.dtype}",) if self.dtype else ()))


_7B = "Qwen/Qwen2.5-7B-Instruct"
_NO_DTYPE = "--dtype: TGI refuses it beside this --quantize, and computes in fp16"
MODES: dict[str, Mode] = {
    mode.name: mode
    for mode in (
        Mode(
            name="nf4",
            summary="4-bit weights made from the bf16 checkpoint while loading; most KV cache, slower in
            batches", image=TGI_IMAGE, model_id=_7B, quantize="bitsandbytes-nf4", dtype="bfloat16",
            format_="nf4", checkpoint=None, weights_gib=5.2, capability=LEAST_CAPABILITY,
            excludes="checkpoints that are quantised already",
        ),
        Mode(
            name="bf16",
            summary="the checkpoint as it is: reference quality, three times the memory",
            image=TGI_IMAGE,
            model_id=_7B,
            quantize=None,
            dtype="bfloat16",
            format_="bf16",
            checkpoint=None,
            weights_gib=14.2,
            capability=LEAST_CAPABILITY,
            excludes="checkpoints that are quantised already",
        ),
        Mode(
            name="awq",
            summary="4-bit checkpoint with Marlin kernels: nf4's size, fast in batches, a 5.6 GB download",
            image=TGI_IMAGE,
            model_id=f"{_7B}-AWQ",
            quantize="awq",
            dtype=None,
            format_="awq",
            checkpoint="awq",
            weights_gib=5.2,
            capability=LEAST_CAPABILITY,
            excludes=_NO_DTYPE,
        ),
        Mode(
            name="gptq",
            summary="4-bit checkpoint with Marlin kernels, another method of quantising",
            image=TGI_IMAGE,
            model_id=f"{_7B}-GPTQ-Int4",
            quantize="gptq",
            dtype=None,
            format_="gptq",
            checkpoint="gptq",
            weights_gib=5.2,
            capability=LEAST_CAPABILITY,
            excludes=_NO_DTYPE,
        ),
        Mode(
            name="fp8",
            summary="8-bit floating-point weights made while loading; Marlin kernels on cards of the RTX
            4090's kind", image=TGI_IMAGE, model_id=_7B, quantize="fp8", dtype=None, format_="fp8",
            checkpoint=None, weights_gib=8.1, capability=LEAST_CAPABILITY, excludes=_NO_DTYPE,
        ),
        Mode(
            name="eetq",
            summary="8-bit integer weights made while loading, 16-bit compute",
            image=TGI_IMAGE,
            model_id=_7B,
            quantize="eetq",
            dtype=None,
            format_="eetq",
            checkpoint=None,
            weights_gib=8.1,
            capability=LEAST_CAPABILITY,
            excludes=_NO_DTYPE,
        ),
    )
}


def mode_named(name: str) -> Mode:
    """The mode of a MODE setting. Raises BadSetting."""
    if name in MODES:
        return MODES[name]
    raise BadSetting(
        "MODE cannot be used",
        expected=f"one of {', '.join(MODES)}",
        found=repr(name),
        remedy=f"set MODE in .env, or remove the line to get {DEFAULT_MODE}",
    )


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
            f"{model_id}: {found.method if found else 'unquantised'} (TGI: Cannot load `{mode.checkpoint}` weight, "
            "make sure the model is already quantized)",
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
            f"{_dotted(card.capability)} (TGI's flash attention and {mode.name} kernels are not built for it)",
            "use a newer card, or the CPU engine: --engine cpu",
        )
    if card.capability <= NEWEST_BUILT:
        return ()
    warning = f"TGI 3.3.7 is compiled for compute capability {_dotted(LEAST_CAPABILITY)} to {_dotted(NEWEST_BUILT)}"
    more = "" if fast_nf4 or mode.name != "nf4" else "; its bitsandbytes 0.45.2 too: set FAST_NF4=1"
    return (f"{warning}, and {card.name} has {_dotted(card.capability)}: not known to work{more}",)


def require_kv_cache(dtype: str | None, model: Architecture) -> None:
    """Raise BadSetting for a KV cache type that TGI would refuse when it allocates the cache."""
    if dtype is None:
        return
    if dtype not in KV_CACHE_DTYPES:
        raise _refused(
            "KV_CACHE_DTYPE cannot be used",
            f"{' or '.join(KV_CACHE_DTYPES)}, or nothing for the model's own 16 bits",
            repr(dtype),
            "set KV_CACHE_DTYPE in .env, or remove the line",
        )
    if model.head_dim not in FLASHINFER_HEAD_DIMS:
        raise _refused(
            "KV_CACHE_DTYPE cannot be used with this model",
            f"heads of {', '.join(map(str, FLASHINFER_HEAD_DIMS))} (TGI: FP8 KV cache is currently only supported "
            "for flashinfer on CUDA and paged attention)",
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
