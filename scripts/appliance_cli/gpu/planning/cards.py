"""NVIDIA cards by name: memory, compute capability, how fast they read and compute. Pure.

Memory is what the driver reports (`nvidia-smi`, MiB), which is less than the printed GB on cards whose ECC is
on. Compute capabilities: NVIDIA's table at developer.nvidia.com/cuda-gpus. Bandwidth and compute: NVIDIA's
data sheets and architecture whitepapers; compute is dense bf16 (fp16 before Ampere) in tensor cores with
32-bit sums, not the sparse or 16-bit figure of the advertisements.
"""

import re
from dataclasses import dataclass

from appliance_cli.base.errors import BadSetting
from appliance_cli.gpu.planning import MIB


@dataclass(frozen=True)
class Card:
    """One card. ``total`` is what the driver reports, ``reserved`` what it keeps for itself; bytes.

    ``capability`` is None for a card known only by its memory. ``used``: by other programs, right now.
    ``bandwidth`` in bytes a second and ``compute`` in operations a second are None where nobody tells.
    ``guessed``: ``reserved`` is an assumption, since the card is not at hand.
    """

    name: str
    total: int
    capability: tuple[int, int] | None
    reserved: int
    used: int = 0
    bandwidth: float | None = None
    compute: float | None = None
    guessed: bool = False

    @property
    def usable(self) -> int:
        """What CUDA reports as the card's total (cudaMemGetInfo), where TGI's formula starts."""
        return self.total - self.reserved

    @property
    def largest(self) -> int:
        """The most that ``usable`` can be: what a promise about memory in use has to hold for."""
        return self.total if self.guessed else self.usable


# name: memory in MiB, compute capability, bandwidth in GB/s, TFLOPS
_CARDS = {
    "RTX 3060": (12288, (8, 6), 360, 25.6),
    "RTX 3080": (10240, (8, 6), 760, 59.5),
    "RTX 3090": (24576, (8, 6), 936, 71),
    "RTX 3090 Ti": (24564, (8, 6), 1008, 80),
    "RTX 4060 Ti 16GB": (16380, (8, 9), 288, 44),
    "RTX 4070": (12282, (8, 9), 504, 58.3),
    "RTX 4070 Ti": (12282, (8, 9), 504, 80.2),
    "RTX 4070 Ti SUPER": (16376, (8, 9), 672, 88.2),
    "RTX 4080": (16376, (8, 9), 717, 97.5),
    "RTX 4080 SUPER": (16376, (8, 9), 736, 104.4),
    "RTX 4090": (24564, (8, 9), 1008, 165.2),
    "RTX 4090 D": (24564, (8, 9), 1008, 147),
    "RTX 5080": (16303, (12, 0), 960, 112.6),
    "RTX 5090": (32607, (12, 0), 1792, 209.5),
    "RTX A4000": (16376, (8, 6), 448, 76.7),
    "RTX A5000": (24564, (8, 6), 768, 111.1),
    "RTX A6000": (49140, (8, 6), 768, 154.8),
    "RTX 6000 Ada": (49140, (8, 9), 960, 364.2),
    "T4": (15360, (7, 5), 320, 65),
    "V100 32GB": (32768, (7, 0), 900, 112),
    "A10": (23028, (8, 6), 600, 125),
    "A30": (24576, (8, 0), 933, 165),
    "A40": (46068, (8, 6), 696, 149.7),
    "A100 40GB": (40960, (8, 0), 1555, 312),
    "A100 80GB": (81920, (8, 0), 1935, 312),
    "L4": (23034, (8, 9), 300, 121),
    "L40": (46068, (8, 9), 864, 181),
    "L40S": (46068, (8, 9), 864, 362),
    "H100": (81559, (9, 0), 3350, 989),
    "H200": (143771, (9, 0), 4800, 989),
}
_ALIASES = {"a6000": "RTX A6000", "a5000": "RTX A5000", "a100": "A100 40GB", "h100 80gb": "H100"}
_NOISE = re.compile(r"\b(nvidia|geforce|tesla|graphics|generation|pcie|sxm\d?|hbm\d?e?|card)\b|[-_]")


def reserve(total: int) -> int:
    """The driver's own share of a card that is not at hand: 2 percent, at most 900 MiB.

    An assumption on the safe side: PyTorch prints 23.65 GiB for an RTX 4090 of 24564 MiB (1.4 percent less),
    22.0 for an L4 (2.0), 79.1 for an A100 of 81920 (1.1), 139.7 for an H200 (0.5). NVML tells it for a real
    card.
    """
    return min(total // 50, 900 * MIB)


def names() -> tuple[str, ...]:
    """Every card in the table."""
    return tuple(_CARDS)


def by_name(name: str) -> Card:
    """A card from the table, spelled as people or drivers do ("4090", "NVIDIA GeForce RTX 4090").

    Raises:
        BadSetting: for a card that is not in the table.
    """
    known = find(name)
    if known is None:
        raise BadSetting(
            "The card is not in the table",
            expected=f"one of {', '.join(_CARDS)}",
            found=name,
            remedy="give its memory instead: --vram 24 (GiB)",
        )
    return known


def find(name: str) -> Card | None:
    """As `by_name`, but None for an unknown card."""
    wanted = _plain(name)
    wanted = _plain(_ALIASES[wanted]) if wanted in _ALIASES else wanted
    for candidate in (wanted, f"rtx {wanted}"):
        for known, (mib, capability, gigabytes, teraflops) in _CARDS.items():
            if _plain(known) == candidate:
                total = mib * MIB
                bandwidth, compute = gigabytes * 1e9, teraflops * 1e12
                return Card(known, total, capability, reserve(total), 0, bandwidth, compute, guessed=True)
    return None


def by_memory(gib: float) -> Card:
    """A card of which only the memory is known, in GiB as `nvidia-smi` shows it."""
    if not 1 <= gib <= 1024:
        raise BadSetting(
            "The card's memory cannot be used",
            expected="between 1 and 1024 GiB",
            found=f"{gib:g}",
            remedy="give what nvidia-smi shows, for example --vram 24",
        )
    total = round(gib * 1024) * MIB
    return Card(f"a card of {gib:g} GiB", total, None, reserve(total), guessed=True)


def is_rtx_4090(name: str) -> bool:
    """Whether a driver's name means the RTX 4090 (or its 4090 D), not the laptop part, which has 16 GB."""
    return _plain(name) in ("rtx 4090", "rtx 4090 d")


def _plain(name: str) -> str:
    text = re.sub(r"(?<=\d) ?(gb|gib)\b", "gb", _NOISE.sub(" ", name.lower()))
    return " ".join(text.split())
