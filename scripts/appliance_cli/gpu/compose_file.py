"""The Compose file that `up` writes for the chosen mode and cards. Pure.

It says what docker-compose.yml's variables cannot: other flags, several engines. Values in
.env stay the operator's: each derived number is only the default of a variable that docker-compose.yml
already has (`${MAX_TOTAL_TOKENS:-…}`). Without this file docker-compose.yml serves nf4 on one card by itself.
"""

import json
from collections.abc import Mapping, Sequence

from appliance_cli.config.table import default_of
from appliance_cli.gpu.planning.memory import CUDA_GRAPHS
from appliance_cli.gpu.settings import GpuSettings

ENGINE_PORT = 3000
_HEADING = """\
# Written by scripts/appliance from MODE and its companions in .env; written anew at each start.
# Change .env, not this file.
"""


def override(
    settings: GpuSettings,
    defaults: Mapping[str, str],
    devices: Sequence[str],
    graphs: Sequence[int] = CUDA_GRAPHS,
) -> str:
    """The file's text.

    Args:
        settings: the mode and what goes with it.
        defaults: the planner's numbers by .env key (`Plan.settings`).
        devices: a UUID or index for each card, ``settings.cards_needed`` of them, in the engines' order.
        graphs: batch sizes that get a CUDA graph (`Plan.cuda_graphs`).
    """
    model = _variable("MODEL_ID", settings.mode.model_id)
    lines = ["services:", "  model-init:", "    environment:", f"      MODEL_ID: {_scalar(model)}"]
    if settings.mode.name != "nf4":
        lines.append('      FAST_NF4: "0"')  # kernels that this mode does not call are not fetched
    width = settings.tensor_parallel
    for number in range(settings.replicas):
        cards = devices[number * width : (number + 1) * width]
        lines += ["", *_engine(number, settings, command(settings, defaults, graphs), defaults, cards)]
    lines += ["", "  gpu-metrics:", *_pinned_to(devices)]
    lines += ["", "  openai-api:", "    environment:", f"      MODEL_ID: {_scalar(model)}"]
    total = _variable("MAX_TOTAL_TOKENS", defaults.get("MAX_TOTAL_TOKENS"))
    lines.append(f"      MAX_TOTAL_TOKENS: {_scalar(total)}")
    at_once = _variable("MAX_CONCURRENT_REQUESTS", defaults.get("MAX_CONCURRENT_REQUESTS"))
    lines += ["", "  nginx:", "    environment:", f"      MAX_CONCURRENT_REQUESTS: {_scalar(at_once)}"]
    return _HEADING + "\n".join(lines) + "\n"


def file_name(project: str) -> str:
    """Beside docker-compose.yml, whose service it extends; one for each appliance of this folder."""
    return f"compose.engine.{project}.yml"


def engine_names(replicas: int) -> tuple[str, ...]:
    """The engines' services: tgi, tgi-2, … All answer to the network name tgi, by which nginx finds them."""
    return ("tgi", *(f"tgi-{number}" for number in range(2, replicas + 1)))


def command(settings: GpuSettings, defaults: Mapping[str, str], graphs: Sequence[int]) -> list[str]:
    """The launcher's arguments, in docker-compose.yml's order."""

    def variable(key: str) -> str:
        return _variable(key, defaults.get(key))

    # why: an adapter would be missing in a replayed graph, so with LoRA there are none
    captured = graphs if settings.cuda_graphs else (0,)
    adapters = (f"--lora-adapters={','.join(settings.lora_adapters)}",) if settings.lora_adapters else ()
    speculate = (f"--speculate={settings.speculate}",) if settings.speculate else ()
    cache = (f"--kv-cache-dtype={settings.kv_cache_dtype}",) if settings.kv_cache_dtype else ()
    return [
        f"--model-id={_variable('MODEL_ID', settings.mode.model_id)}",
        "--hostname=0.0.0.0",
        f"--port={ENGINE_PORT}",
        *settings.mode.flags,
        f"--num-shard={settings.tensor_parallel}",
        f"--max-input-tokens={variable('MAX_INPUT_TOKENS')}",
        f"--max-total-tokens={variable('MAX_TOTAL_TOKENS')}",
        f"--max-batch-prefill-tokens={variable('MAX_BATCH_PREFILL_TOKENS')}",
        f"--cuda-graphs={','.join(map(str, captured))}",
        f"--cuda-memory-fraction={variable('CUDA_MEMORY_FRACTION')}",
        f"--max-concurrent-requests={variable('MAX_CONCURRENT_REQUESTS')}",
        *cache,
        *speculate,
        *adapters,
        "--usage-stats=off",
        "--json-output",
    ]


def _engine(
    number: int,
    settings: GpuSettings,
    arguments: Sequence[str],
    defaults: Mapping[str, str],
    cards: Sequence[str],
) -> list[str]:
    first = number == 0
    lines = [f"  {engine_names(number + 1)[-1]}:"]
    if not first:
        lines.append("    extends: { file: docker-compose.yml, service: tgi }")
    memory = _variable("ENGINE_MEMORY", defaults.get("ENGINE_MEMORY"))
    lines += [
        "    command: !override",
        *(f"      - {_scalar(argument)}" for argument in arguments),
        f"    mem_limit: {_scalar(memory)}",
        *_pinned_to(cards),
    ]
    if not first:
        lines.append("    networks: !override { backend: { aliases: [tgi] } }")
    return lines


def _pinned_to(cards: Sequence[str]) -> list[str]:
    return [
        "    deploy:",
        "      resources:",
        "        reservations:",
        "          devices: !override",
        f"            - {{ driver: nvidia, device_ids: {json.dumps(list(cards))}, capabilities: [gpu] }}",
    ]


def _variable(name: str, default: str | None = None) -> str:
    """A setting as Compose fills it in; without a ``default`` the table's."""
    return f"${{{name}:-{default_of(name) if default is None else default}}}"


def _scalar(text: str) -> str:
    """A string that YAML cannot take for anything else; Compose still fills in its variables."""
    return json.dumps(text)
