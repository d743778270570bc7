"""How a checkpoint was quantised before it was published: config.json's quantization_config. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from appliance_cli.base.errors import BadSetting

METHODS = ("awq", "gptq", "fp8")
MARLIN_BITS = (4, 8)
MARLIN_GROUPS = (-1, 32, 64, 128)


@dataclass(frozen=True)
class CheckpointQuantization:
    """An AWQ, GPTQ or fp8 checkpoint. ``group_size`` counts input features per scale, -1 all of them."""

    method: str
    bits: int
    group_size: int
    symmetric: bool
    desc_act: bool

    @property
    def marlin(self) -> bool:
        """Whether TGI runs it with its Marlin kernels (3.3.7, layers/marlin/gptq.py, can_use_gptq_marlin)."""
        return (
            self.method in ("awq", "gptq")
            and self.bits in MARLIN_BITS
            and self.group_size in MARLIN_GROUPS
            and (self.symmetric or self.method == "awq")
        )


def parse_quantization(entry: object, source: str) -> CheckpointQuantization | None:
    """A config's quantization_config; None for an unquantised checkpoint.

    Raises BadSetting for other methods.
    """
    if entry is None:
        return None
    method = entry.get("quant_method") if isinstance(entry, Mapping) else None
    if not isinstance(entry, Mapping) or method not in METHODS:
        raise BadSetting(
            f"{source} cannot be planned with",
            expected=f"no quantization_config, or one of {', '.join(METHODS)}",
            found=f"quant_method {method!r}",
            remedy="choose the unquantised model: TGI quantises it to nf4 when it loads it (MODE=nf4)",
        )
    if method == "fp8":
        return CheckpointQuantization("fp8", 8, -1, symmetric=True, desc_act=False)
    return CheckpointQuantization(
        method=str(method),
        bits=_whole(entry, "bits", source),
        group_size=_whole(entry, "group_size", source),
        # as TGI reads it (utils/quantization.py): AWQ states its zero points, GPTQ its symmetry
        symmetric=not entry["zero_point"] if "zero_point" in entry else bool(entry.get("sym", False)),
        desc_act=bool(entry.get("desc_act", False)),
    )


def _whole(entry: Mapping[str, Any], key: str, source: str) -> int:
    value = entry.get(key)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise BadSetting(
        f"{source} cannot be planned with",
        expected=f"quantization_config.{key} as a whole number",
        found=repr(value),
        remedy="see that the file is the model's own config.json",
    )
