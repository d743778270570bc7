"""Known lines of the services, as they were recorded, and the trouble that doctor names for each."""

from __future__ import annotations

import json

import pytest

from appliance_cli.doctor import log_lines
from appliance_cli.doctor.troubles import TROUBLES


def tgi(message: str, level: str = "ERROR") -> str:
    """A line as `--json-output` has it."""
    fields = {"message": message}
    return json.dumps({"timestamp": "2026-11-27T10:00:00Z", "level": level, "fields": fields, "target": "x"})


def model_init(message: str) -> str:
    return json.dumps({"event": "message", "message": message, "stage": "failed"}, ensure_ascii=False)


OUT_OF_MEMORY = (
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.02 GiB. GPU 0 has 64 MiB free"
)
# By the trouble's name: the service, and its line. TGI's are those of its source and of runs on a card.
LINES = {
    "tgi-warmup-memory": (
        "tgi",
        tgi(
            "Not enough memory to handle 4096 prefill tokens. You need to decrease "
            "`--max-batch-prefill-tokens`"
        ),
    ),
    "tgi-kv-memory": ("tgi", "Error: Backend(NotEnoughMemory(8192))"),
    "tgi-kv-allocation": (
        "tgi",
        tgi("UnboundLocalError: cannot access local variable 'num_tokens' where it is not associated"),
    ),
    "tgi-graphs": ("tgi", tgi("Decode cuda graph warmup failed", "WARN")),
    "tgi-host-memory": ("tgi", tgi("Shard process was signaled to shutdown with signal 9")),
    "tgi-vram-running": ("tgi", tgi(OUT_OF_MEMORY)),
    "tgi-driver": ("tgi", tgi("RuntimeError: CUDA error: no kernel image is available for execution")),
    "tgi-bitsandbytes": (
        "tgi",
        "CUDA Setup failed despite GPU being available. Please run python -m bitsandbytes",
    ),
    "tgi-arguments": (
        "tgi",
        'Error: ArgumentValidation("`max_input_tokens` must be < `max_total_tokens`")',
    ),
    "tgi-flags": ("tgi", "error: unexpected argument '--cuda-graphs' found"),
    "tgi-weights": ("tgi", tgi("RuntimeError: weight model.layers.0.mlp.up_proj.weight does not exist")),
    "tgi-tokenizer": (
        "tgi",
        tgi("Failed to import python tokenizer OSError: [Errno 30] Read-only file system: 'out'", "WARN"),
    ),
    "tgi-port": (
        "tgi",
        "thread 'main' panicked: failed to build prometheus recorder: FailedToCreateHTTPListener",
    ),
    "tgi-shard": ("tgi", "Error: ShardCannotStart"),
    "gpu-lost": ("tgi", "Failed to initialize NVML: Unknown Error"),
    "corporate-proxy": ("model-init", model_init("no network: hub: untrusted certificate of hub.example")),
    "no-disk-space": ("model-init", model_init("no disk space: expected 15.2 GB on the models volume")),
    "nothing-comes": ("model-init", model_init("nothing has come for 3 min; hub: timed out")),
    "no-network": ("model-init", model_init("no network: expected an answer from hub, found none")),
    "proxy-deaf": ("model-init", model_init("the proxy 10.0.0.9:7890 does not answer")),
    "no-such-model": ("model-init", model_init("no such model: Qwen/Qwen9")),
    "gated": ("model-init", model_init("gated model: meta-llama/Llama-3")),
    "corrupt": ("model-init", model_init("corrupt download: model-00001.safetensors, 3 times")),
    "folder-closed": ("model-init", model_init("MODEL_FOLDER: expected files that uid 10001 can read")),
    "lfs-pointer": (
        "model-init",
        model_init("model.safetensors is a pointer of git-lfs, not the file itself"),
    ),
    "disk-failed": ("model-init", model_init("the disk failed: Input/output error")),
    "damaged": ("model-init", model_init("damaged: a.safetensors, found 12ab; moved to .quarantine")),
    "certificate": ("nginx", "apply: TLS=files: expected a certificate, found none"),
}


def test_each_trouble_that_is_read_off_a_log_has_its_line() -> None:
    assert set(LINES) == {check for check, trouble in TROUBLES.items() if trouble.log}


@pytest.mark.parametrize("check", LINES)
def test_a_recorded_line_names_its_trouble(check: str) -> None:
    service, line = LINES[check]
    found = {finding.check: finding for finding in log_lines.examine({service: ["noise", line, "noise"]})}
    assert check in found
    assert found[check].level == ("warn" if TROUBLES[check].harmless else "fail")
    assert found[check].remedy
    assert '{"' not in found[check].found, "the message, not the JSON around it"


def test_what_follows_from_a_named_cause_is_not_told_beside_it() -> None:
    lines = [LINES["tgi-warmup-memory"][1], "Error: WebserverFailed", "Error: ShardFailed"]
    assert [finding.check for finding in log_lines.examine({"tgi": lines})] == ["tgi-warmup-memory"]
    assert [finding.check for finding in log_lines.examine({"tgi": lines[1:]})] == ["tgi-shard"]


def test_a_trouble_after_which_the_engine_served_is_history() -> None:
    (finding,) = log_lines.examine({"tgi": [LINES["tgi-kv-memory"][1], tgi("Connected", "INFO")]})
    assert (finding.level, finding.check) == ("warn", "tgi-kv-memory")
    assert "it has worked since" in finding.found


def test_a_second_engine_is_read_as_the_first() -> None:
    (finding,) = log_lines.examine({"tgi-2": [LINES["tgi-kv-memory"][1]]})
    assert finding.found.startswith("log of tgi-2: ")


def test_good_logs_say_nothing() -> None:
    good = [tgi(text, "INFO") for text in ("Starting shard", "Warming up model", "Connected")]
    assert log_lines.examine({"tgi": good, "model-init": [model_init("fetched a.json: 1 kB")]}) == []
