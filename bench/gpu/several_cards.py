"""What the appliance decides on a host with several real cards; prints each question and its answer.

Needs PyTorch (to occupy memory like another program), nvidia-ml-py, docker and requests; no Docker engine, no
network. Two cards of any kind.

    PYTHONPATH=scripts:services/model-init python bench/gpu/several_cards.py > several-cards.txt
"""

from __future__ import annotations

import subprocess
import sys

from appliance_cli.base.errors import ApplianceError
from appliance_cli.cli import gpu as gpu_commands
from appliance_cli.gpu import cards_here
from appliance_cli.gpu import setup as gpu_setup
from appliance_cli.gpu.report import summary

OCCUPY = """
import sys, torch
device = torch.device(f"cuda:{sys.argv[1]}")
held = torch.empty(int(sys.argv[2]) * 2**30, dtype=torch.uint8, device=device)
print("held", flush=True)
sys.stdin.read()
"""
QUESTIONS: tuple[dict[str, str], ...] = (
    {},
    {"GPU_DEVICE": "1"},
    {"TGI_REPLICAS": "2"},
    {"TENSOR_PARALLEL": "2", "MODE": "bf16"},
    {"TGI_REPLICAS": "2", "TENSOR_PARALLEL": "2"},
    {"TGI_REPLICAS": "2", "GPU_DEVICES": "1,1"},
)


def answer(values: dict[str, str]) -> None:
    """One configuration: the plan and the generated file's devices, or the refusal."""
    print(f"\n=== {' '.join(f'{key}={value}' for key, value in values.items()) or 'nothing set'}")
    try:
        setup = gpu_setup.decide(gpu_setup.read(values), cards_here.look().cards)
    except ApplianceError as refusal:
        print(f"refused: {refusal}\n  expected: {refusal.expected}\n  found: {refusal.found}")
        return
    if setup.plan is not None:
        print(summary(setup.plan))
    for warning in setup.warnings:
        print(f"! {warning}")
    wanted = ("  tgi", "num-shard", "memory-fraction", "device_ids", "aliases")
    print("\n".join(line for line in setup.text.splitlines() if any(word in line for word in wanted)))


def main() -> int:
    found = cards_here.look()
    if len(found.cards) < 2:
        print(f"expected two cards or more, found {len(found.cards)}", file=sys.stderr)
        return 1
    print(gpu_commands.table(found, (cards_here.choose(found.cards).gpu,)))
    for values in QUESTIONS:
        answer(values)
    print("\n=== another program holds 60 GiB of card 1")
    command = [sys.executable, "-c", OCCUPY, "1", "60"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        found = cards_here.look()
        print(gpu_commands.table(found, (cards_here.choose(found.cards).gpu,)))
        answer({"TGI_REPLICAS": "2"})
        assert other.stdin is not None
        other.stdin.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
