"""What is a conversation's engine worth? TTFT of later turns with X-Conversation-ID and without, two engines.

    PYTHONPATH=.:tests python bench/bench_engines.py --turns 6 --words 1200

Starts an appliance of its own on the CPU engine. Two sets of conversations grow turn by turn, in an order
drawn by lot; those of one set send an id, so that nginx keeps each with the engine whose KV cache has its
beginning. First turns, which nobody can have cached, are left out. The ratio is what matters, not a CPU's
seconds.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import requests

from harness.sse import events
from harness.stack import Stack

WORDS = ("river", "stone", "lamp", "cloud", "paper", "engine", "garden", "window", "salt", "copper", "road")
ANSWER_TOKENS = 16


@dataclass
class Conversation:
    """One that grows; `seconds` holds the TTFT of its turns."""

    name: str
    kept: bool
    text: str
    seconds: list[float] = field(default_factory=list)

    def turn(self, url: str, question: str) -> None:
        """Asks, waits for the whole answer, and remembers when its first token came."""
        self.text += f"\nUser: {question}\nAssistant:"
        body = {"inputs": self.text, "parameters": {"max_new_tokens": ANSWER_TOKENS}}
        headers = {"X-Conversation-ID": self.name} if self.kept else {}
        began = time.perf_counter()
        with requests.post(
            f"{url}/generate_stream", json=body, headers=headers, timeout=300, stream=True
        ) as response:
            response.raise_for_status()
            frames = events(response)
            first = next(frames)
            self.seconds.append(time.perf_counter() - began)
            self.text += "".join(frame["token"]["text"] for frame in (first, *frames))


def measure(url: str, conversations: int, turns: int, words: int) -> dict[str, float]:
    """Medians in seconds over all later turns, and their ratio."""
    lot = random.Random(20261122)

    def prose(count: int) -> str:
        return " ".join(lot.choice(WORDS) for _ in range(count))

    talks = [
        Conversation(f"bench-{number}-{kept}", kept, prose(words))
        for number in range(conversations)
        for kept in (True, False)
    ]
    for turn in range(turns):
        for talk in lot.sample(talks, len(talks)):
            talk.turn(url, prose(8))
        print(f"turn {turn + 1} of {turns}", file=sys.stderr)
    later = {
        kept: statistics.median(s for talk in talks if talk.kept == kept for s in talk.seconds[1:])
        for kept in (True, False)
    }
    return {
        "ttft_s_with_id": later[True],
        "ttft_s_without": later[False],
        "ttft_s_first_turn": statistics.median(talk.seconds[0] for talk in talks),
        "ratio": later[False] / later[True],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--engines", type=int, default=2)
    parser.add_argument("--conversations", type=int, default=3, help="of each kind")
    parser.add_argument("--turns", type=int, default=6)
    parser.add_argument("--words", type=int, default=1200, help="in a conversation's beginning")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = {"TGI_REPLICAS": str(options.engines), "UI_REPLICAS": "1"}
        with Stack(Path(folder), settings) as appliance:
            appliance.up()
            found = measure(appliance.url, options.conversations, options.turns, options.words)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
