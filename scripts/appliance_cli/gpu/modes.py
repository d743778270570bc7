"""The modes that MODE chooses: each a way to hold the weights, with TGI's flags for it. Pure.

What may be combined with what is judged in mode_rules.py. The table of settings has their names.
"""

from dataclasses import dataclass

from appliance_cli.config.table import default_of
from appliance_cli.gpu.planning.weights import Format

LEAST_CAPABILITY = (8, 0)
"""TGI's flash attention and every mode's kernels need Ampere or newer."""
_7B = default_of("MODEL_ID")
_NO_DTYPE = "--dtype: TGI refuses it beside this --quantize"
_NOT_QUANTISED = "checkpoints that are quantised already"


@dataclass(frozen=True)
class Mode:
    """One way to hold the weights. ``quantize`` and ``dtype`` are TGI's flags, None: the flag is not given.

    ``checkpoint``: the quantization that the model's own files must have, None: unquantised ones.
    ``weights_gib`` is what the default model's weights take; ``excludes`` says in words what it rules out.
    """

    name: str
    summary: str
    format_: Format
    quantize: str | None
    weights_gib: float
    excludes: str
    dtype: str | None = None
    model_id: str = _7B
    checkpoint: str | None = None
    capability: tuple[int, int] = LEAST_CAPABILITY

    @property
    def flags(self) -> tuple[str, ...]:
        """The launcher's flags that make the mode."""
        quantize = (f"--quantize={self.quantize}",) if self.quantize else ()
        return (*quantize, *((f"--dtype={self.dtype}",) if self.dtype else ()))


_ALL = (
    Mode(
        name="nf4",
        summary="4-bit weights made while loading the bf16 checkpoint: small, slower in batches",
        format_="nf4",
        quantize="bitsandbytes-nf4",
        dtype="bfloat16",
        weights_gib=5.2,
        excludes=_NOT_QUANTISED,
    ),
    Mode(
        name="bf16",
        summary="the checkpoint as it is: full quality, three times the memory, the fastest for a crowd",
        format_="bf16",
        quantize=None,
        dtype="bfloat16",
        weights_gib=14.2,
        excludes=_NOT_QUANTISED,
    ),
    Mode(
        name="awq",
        summary="a 4-bit checkpoint (5.6 GB to download) with Marlin kernels: nf4's size, fast in batches",
        format_="awq",
        quantize="awq",
        weights_gib=5.2,
        excludes=_NO_DTYPE,
        model_id=f"{_7B}-AWQ",
        checkpoint="awq",
    ),
    Mode(
        name="gptq",
        summary="as awq, quantised by another method",
        format_="gptq",
        quantize="gptq",
        weights_gib=5.2,
        excludes=_NO_DTYPE,
        model_id=f"{_7B}-GPTQ-Int4",
        checkpoint="gptq",
    ),
    Mode(
        name="fp8",
        summary="8-bit floating-point weights made while loading (Marlin kernels on an RTX 4090)",
        format_="fp8",
        quantize="fp8",
        weights_gib=8.1,
        excludes=_NO_DTYPE,
    ),
    Mode(
        name="eetq",
        summary="8-bit integer weights made while loading, 16-bit compute",
        format_="eetq",
        quantize="eetq",
        weights_gib=8.1,
        excludes=_NO_DTYPE,
    ),
)
MODES: dict[str, Mode] = {mode.name: mode for mode in _ALL}
