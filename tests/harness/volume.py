"""Looks into and damages the models volume of a running stack, by a container of its own."""

from __future__ import annotations

from harness.stack import Stack

MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
GGUF = f"/models/{MODEL}/SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_BYTES = 98_362_432


def in_volume(stack: Stack, script: str) -> str:
    """What a Python script prints that runs with the volume at /models, writable."""
    return stack.compose(
        "run", "--rm", "--no-deps", "--entrypoint", "python3", "model-init", "-c", script
    ).stdout


def flip_a_byte(stack: Stack) -> None:
    """Damages the published model in place, deep inside its tensors."""
    at = "f.seek(5_000_000)"
    in_volume(stack, f"f = open('{GGUF}', 'r+b'); {at}; b = f.read(1)[0]; {at}; f.write(bytes([b ^ 1]))")


def sha256_on_disk(stack: Stack) -> str:
    """The digest of the model's bytes as they lie there."""
    script = f"import hashlib; print(hashlib.sha256(open('{GGUF}', 'rb').read()).hexdigest())"
    return in_volume(stack, script).strip()
