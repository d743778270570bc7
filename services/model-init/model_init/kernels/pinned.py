"""Which wheel the kernels come from, what of it is kept, and what the kept bytes must hash to."""

from __future__ import annotations

from dataclasses import dataclass

COST = (
    "TGI starts with its own, bitsandbytes 0.45.2: one person's answers take 1.1 times as long, those of two "
    "at once 2.9 times, of more 1.8 times; it takes up to 264 MiB more of the card, which FAST_NF4=0 makes "
    "TARGET_VRAM count"
)


@dataclass(frozen=True)
class PinnedWheel:
    """A wheel by its digest, and the files of it that one kind of GPU needs.

    `kept_suffixes` and `kept_names` choose members. `manifest_sha256` is the digest of the kept files' list
    as `manifest.text` writes it: whoever brings the files, it decides whether they are these.
    """

    package: str
    version: str
    file_name: str
    size: int
    sha256: str
    kept_suffixes: tuple[str, ...]
    kept_names: frozenset[str]
    kept_size: int
    manifest_sha256: str

    @property
    def name(self) -> str:
        """Package and version: for people, and of the folder that docker-compose.yml's PYTHONPATH names."""
        return f"{self.package}-{self.version}"

    def keeps(self, member: str) -> bool:
        """Whether this member of the wheel goes into the volume."""
        in_package = member.startswith(f"{self.package}/")
        return member in self.kept_names or (in_package and member.endswith(self.kept_suffixes))


# The library is the one that BNB_CUDA_VERSION=126 names in docker-compose.yml, for this release as for the
# image's own: built for compute capability 6.0 to 9.0, with code that the driver translates for newer cards.
PINNED = PinnedWheel(
    package="bitsandbytes",
    version="0.50.2",
    file_name="bitsandbytes-0.50.2-py3-none-manylinux_2_24_x86_64.whl",
    size=43_139_553,
    sha256="55348a9a4a21bfd99cf8c7b32fe67b4030ae5c2a05738e03c1747f65fa6ec283",
    kept_suffixes=(".py",),
    kept_names=frozenset(
        {
            "bitsandbytes/libbitsandbytes_cuda126.so",
            "bitsandbytes-0.50.2.dist-info/METADATA",
            "bitsandbytes-0.50.2.dist-info/licenses/LICENSE",
        }
    ),
    kept_size=21_885_295,
    manifest_sha256="3f0eb0b86f296881fb4bef34262c0b1c80b63ee7e68ce2563632636a7766ca4b",
)
