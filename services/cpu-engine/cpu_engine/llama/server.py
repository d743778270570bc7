"""The child process: llama.cpp's own HTTP server on a private loopback port.

Reads one JSON line with its settings from standard input, writes {"address": …} to standard output once the
model is loaded, and lives until standard input closes; so it cannot outlive its parent. Everything that
llama.cpp prints goes to standard error.
"""

import json
import os
import sys
from typing import Any

import xllamacpp

_ERRORS_ONLY = 1
_BATCH_TOKENS = 128
"""Tokens of a prompt in one go: llama.cpp looks for cancelled requests, and lets others have their next
token, only between two batches. Its own 2048 make that several seconds on a CPU; 128 cost no measurable
throughput.
"""


def common_params(settings: dict[str, Any]) -> xllamacpp.CommonParams:
    """llama.cpp's parameters for the settings that `native.NativeSettings` describes."""
    params = xllamacpp.CommonParams()
    params.model.path = settings["model_path"]
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [settings["api_key"]]
    params.n_parallel = settings["parallel"]
    params.n_ctx = settings["parallel"] * settings["slot_tokens"]
    params.n_batch = _BATCH_TOKENS
    params.n_ubatch = _BATCH_TOKENS
    params.n_threads_http = settings["parallel"] + 6
    params.cpuparams.n_threads = settings["threads"]
    params.cpuparams_batch.n_threads = settings["threads"]
    params.fit_params = False
    params.cache_ram_mib = 0  # llama.cpp would keep up to 8 GiB of old prompts in memory
    params.ctx_shift = False
    params.special = True  # write special tokens out: TGI streams them
    params.use_jinja = True
    params.prefill_assistant = False  # the façade continues a last assistant message, in TGI's way
    params.endpoint_metrics = True
    params.endpoint_slots = False
    params.ui = False
    params.verbosity = _ERRORS_ONLY
    return params


def main() -> None:
    """Serve until standard input closes."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    settings = json.loads(sys.stdin.readline())
    try:
        server = xllamacpp.Server(common_params(settings))
    except RuntimeError as error:
        sys.exit(f"llama.cpp: {error}")
    print(json.dumps({"address": server.listening_address}), file=answers, flush=True)
    sys.stdin.read()
    os._exit(0)  # no request is left that would deserve an orderly end


if __name__ == "__main__":
    main()
