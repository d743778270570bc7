"""Command line of the engine: TGI's spellings, parsed once into one frozen object.

Owns what an operator may choose. Does not open the model: limits that depend on it are resolved by
`Settings.limits`.
"""

import argparse
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cpu_engine.errors import StartupError

DEFAULT_TOTAL_TOKENS = 4096
"""Bounds the KV cache, which llama.cpp allocates at start for every slot."""

PAYLOAD_BYTES = 2_000_000
"""TGI's own default of --payload-limit. nginx lets a little more through (nginx/snippets/api.conf), so that a
body that is too long is refused in TGI's words."""

CGROUP_V2_QUOTA = Path("/sys/fs/cgroup/cpu.max")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a request may ask for; token counts are the model's own tokens."""

    max_input_tokens: int
    max_total_tokens: int
    max_concurrent_requests: int
    max_client_batch_size: int
    max_stop_sequences: int
    max_best_of: int
    max_top_n_tokens: int


@dataclass(frozen=True, slots=True)
class Settings:
    """The parsed command line. `threads` and `parallel` are llama.cpp's; everything else is TGI's."""

    model_id: str
    hostname: str
    port: int
    max_input_tokens: int | None
    max_total_tokens: int | None
    max_concurrent_requests: int
    max_client_batch_size: int
    max_stop_sequences: int
    max_best_of: int
    max_top_n_tokens: int
    payload_limit: int
    graceful_termination_timeout: int
    parallel: int
    threads: int
    json_output: bool
    api_key: str | None = field(default=None, repr=False)

    def limits(self, context_length: int) -> Limits:
        """Resolve the token limits against the model's trained context (in tokens).

        Raises:
            StartupError: the limits contradict each other or exceed the model.
        """
        total = self.max_total_tokens or min(DEFAULT_TOTAL_TOKENS, context_length)
        if total > context_length:
            raise StartupError(
                f"--max-total-tokens: expected at most {context_length} (the model's context), "
                f"found {total}, lower it"
            )
        inputs = self.max_input_tokens or total - 1
        if inputs >= total:
            raise StartupError(
                f"--max-input-tokens: expected less than --max-total-tokens ({total}), "
                f"found {inputs}, lower it"
            )
        return Limits(
            max_input_tokens=inputs,
            max_total_tokens=total,
            max_concurrent_requests=self.max_concurrent_requests,
            max_client_batch_size=self.max_client_batch_size,
            max_stop_sequences=self.max_stop_sequences,
            max_best_of=self.max_best_of,
            max_top_n_tokens=self.max_top_n_tokens,
        )


def available_cpus(quota_file: Path = CGROUP_V2_QUOTA) -> int:
    """CPUs this container may use: the scheduler's affinity, lowered by a cgroup v2 quota."""
    cpus = len(os.sched_getaffinity(0))
    try:
        quota, period = quota_file.read_text().split()
    except (OSError, ValueError):
        return cpus
    if quota == "max":
        return cpus
    return max(1, min(cpus, math.ceil(int(quota) / int(period))))


def parse_arguments(arguments: Sequence[str] | None = None) -> Settings:
    """Parse the command line. A bad value ends the process with code 2 and one line that names the flag."""
    parser = argparse.ArgumentParser(
        prog="cpu-engine", description="llama.cpp behind TGI 3.3.7's HTTP contract.", allow_abbrev=False
    )

    def number(flag: str, default: int | None, low: int, high: int, text: str) -> None:
        shown = "" if default is None else f" (default {default})"
        parser.add_argument(
            flag, type=_whole_number(low, high), default=default, metavar="N", help=text + shown
        )

    parser.add_argument("--model-id", required=True, help="model folder below the working directory")
    parser.add_argument("--hostname", default="0.0.0.0", help="address to listen on (default 0.0.0.0)")
    number("--port", 3000, 1, 65535, "port to listen on")
    number("--max-input-tokens", None, 1, 1 << 20, "longest input (default: --max-total-tokens - 1)")
    total = f"input and answer together (default: {DEFAULT_TOTAL_TOKENS} or the model's context)"
    number("--max-total-tokens", None, 2, 1 << 20, total)
    number("--max-concurrent-requests", 128, 1, 100_000, "requests served or queued; one more gets 429")
    number("--max-client-batch-size", 4, 1, 1000, "prompts in one /v1/completions request")
    number("--max-stop-sequences", 4, 0, 1000, "stop sequences of one request")
    number("--max-best-of", 2, 1, 1000, "largest best_of: answers of which the likeliest is given")
    number("--max-top-n-tokens", 5, 0, 100, "largest top_n_tokens")
    number("--payload-limit", PAYLOAD_BYTES, 1, 1 << 30, "largest request body in bytes")
    number("--graceful-termination-timeout", 60, 1, 3600, "seconds for running requests after SIGTERM")
    number("--parallel", 4, 1, 256, "llama.cpp slots: requests that generate at the same time")
    number("--threads", available_cpus(), 1, 1024, "llama.cpp threads")
    parser.add_argument("--api-key", metavar="KEY", help="what clients must send as their bearer token")
    parser.add_argument("--json-output", action="store_true", help="log JSON lines")
    return Settings(**vars(parser.parse_args(arguments)))


class _whole_number:
    """argparse type: an integer from `low` to `high`."""

    def __init__(self, low: int, high: int) -> None:
        self.low, self.high = low, high

    def __call__(self, text: str) -> int:
        expected = f"expected a whole number from {self.low} to {self.high}, found {text!r}, correct it"
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(expected) from None
        if not self.low <= value <= self.high:
            raise argparse.ArgumentTypeError(expected)
        return value
