"""What does nginx as the door cost? Streams through it against straight to the engine; LiteLLM's proxy at
the same job; a soak.

    PYTHONPATH=.:tests python bench/bench_door.py             # what a stream's tokens lose on the way
    PYTHONPATH=.:tests python bench/bench_door.py --openai    # the same where OpenAI's dialect is translated
    PYTHONPATH=.:tests python bench/bench_door.py --litellm   # beside LiteLLM's proxy, on the same core
    PYTHONPATH=.:tests python bench/bench_door.py --soak 10   # 1,000 idle, 500 active, ten minutes

Starts everything itself (Docker; the images that `docker compose build` made) on an internal network and
removes it by id. Client and emitter run on one core, the proxy on another; addresses are the containers'
own. Rounds that other work disturbed are taken again. JSON on stdout, tables on stderr.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from docker.models.containers import Container

from bench import door_soak, door_streams, door_versus, litellm_proxy
from bench.door_rig import Rig
from bench.door_versus import Proxy
from bench.quiet import Quiet
from bench.stream_load import CHAT, GENERATE

DOOR_PORT, ENGINE_PORT = 8080, 3000
Figures = dict[str, Any]


def door_cpu_seconds(rig: Rig, door: Container) -> float:
    """What nginx and, behind it, openai-api have used so far."""
    return rig.cpu_seconds(door) + rig.cpu_seconds(rig.openai_api)


def streams(rig: Rig, emitter: Container, door: Container, options: argparse.Namespace) -> list[Figures]:
    """The matrix."""
    quiet = Quiet(rig.all_cpu_seconds, options.patience)
    cells = []
    for cell in door_streams.matrix(options.quick):
        cells.append(
            door_streams.compare(
                cell,
                CHAT if options.openai else GENERATE,
                {"direct": rig.address(emitter, ENGINE_PORT), "door": rig.address(door, DOOR_PORT)},
                rig.key,
                options.repeat,
                lambda: door_cpu_seconds(rig, door),
                quiet,
            )
        )
    door_streams.print_table(cells)
    return cells


def versus(
    rig: Rig, emitter: Container, door: Container, options: argparse.Namespace, config: Path
) -> Figures:
    """The door beside LiteLLM."""
    folder = Path(options.litellm) if options.litellm else litellm_proxy.packages()
    litellm = litellm_proxy.start(rig, folder, config)
    proxies = [
        Proxy("door", rig.address(door, DOOR_PORT), lambda: door_cpu_seconds(rig, door)),
        Proxy("litellm", rig.address(litellm, litellm_proxy.PORT), lambda: rig.cpu_seconds(litellm)),
    ]
    found = door_versus.versus(
        proxies,
        rig.address(emitter, ENGINE_PORT),
        rig.key,
        options.repeat,
        options.quick,
        Quiet(rig.all_cpu_seconds, options.patience),
    )
    rig.stop(litellm)
    door_versus.print_table(found)
    return found


def soak(rig: Rig, door: Container, options: argparse.Namespace) -> Figures:
    """Idle and active clients for so many minutes."""

    def pids() -> list[int]:
        table = door.top(ps_args="-eo pid,comm")
        return [int(pid) for pid, command in table["Processes"] if command == "nginx"]

    found = pids()
    result = door_soak.soak(
        rig.address(door, DOOR_PORT), rig.key, options.soak, lambda: found, rate=options.soak_rate
    )
    result["same_processes_at_the_end"] = found == pids()
    verdict = {key: result[key] for key in ("streams", "idle", "memory_mb", "same_processes_at_the_end")}
    print(json.dumps(verdict, indent=1), file=sys.stderr)
    return result


def machine() -> Figures:
    """The processor."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line for line in lines if line.startswith("model name")), "")
    return {"processor": model.partition(":")[2].strip(), "cores": os.cpu_count()}


def measure(options: argparse.Namespace) -> Figures:
    """Starts what is needed, measures what was asked for."""
    os.sched_setaffinity(0, {options.load_core})
    mounts = dict(pair.split("=", 1) for pair in options.put)
    with (
        Rig(options.load_core, options.proxy_core, options.cgroup_parent) as rig,
        tempfile.TemporaryDirectory() as config,
    ):
        Path(config).chmod(0o755)
        emitter = rig.emitter()
        rig.wait_answers(emitter, ENGINE_PORT)
        door = rig.door(options.image, mounts)
        rig.wait_answers(door, DOOR_PORT)
        quiet = Quiet(rig.all_cpu_seconds, 0)
        result: Figures = {"image": options.image, "put": mounts}
        if options.soak:
            result["soak"] = soak(rig, door, options)
        elif options.litellm is not None:
            result["versus"] = versus(rig, emitter, door, options, Path(config) / "litellm")
        else:
            result["streams"] = streams(rig, emitter, door, options)
        result["machine"] = {**machine(), "others_share_of_all_cores": quiet.share()}
    return result


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--quick", action="store_true", help="a minute instead of a quarter of an hour: does it run?"
    )
    parser.add_argument(
        "--openai", action="store_true", help="streams that openai-api translates, not TGI's own as they are"
    )
    parser.add_argument("--repeat", type=int, default=5, help="rounds")
    parser.add_argument(
        "--litellm",
        nargs="?",
        const="",
        metavar="FOLDER",
        help="compare with LiteLLM's proxy; FOLDER has its packages (default: fetched into the user's cache)",
    )
    parser.add_argument("--soak", type=float, metavar="MINUTES", help="only the soak")
    parser.add_argument("--soak-rate", type=int, default=10, help="tokens a second in each of its streams")
    parser.add_argument("--image", default="qwen-appliance/nginx:local")
    parser.add_argument(
        "--put", action="append", default=[], metavar="FILE=PATH", help="a file over one of the image's own"
    )
    parser.add_argument(
        "--patience",
        type=float,
        default=20,
        help="seconds to wait for others to be quiet before a round (0: take rounds as they come)",
    )
    parser.add_argument("--cgroup-parent", help="where Docker puts the containers, e.g. before others' work")
    parser.add_argument("--load-core", type=int, default=0)
    parser.add_argument("--proxy-core", type=int, default=1)
    options = parser.parse_args()
    # So that an ended benchmark removes its containers too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    found = measure(options)
    print(json.dumps(found, indent=1, ensure_ascii=False))
    if any(cell[way]["errors"] for cell in found.get("streams", []) for way in ("direct", "door")):
        sys.exit("streams failed or were refused: these figures are worth nothing")


if __name__ == "__main__":
    main()
