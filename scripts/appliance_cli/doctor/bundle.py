"""A file for whoever helps: versions, settings, states, logs, plan and last benchmark.

No secret, prompt or answer: everything that goes in passes redact.py, and nothing is read whole that people
write into, neither the access directory nor any volume.
"""

import io
import json
import os
import platform
import tarfile
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

from docker import DockerClient

from appliance_cli.base.process import ask
from appliance_cli.compose import containers
from appliance_cli.compose.client import FAILURES, connect
from appliance_cli.config import values as given_values
from appliance_cli.config import version
from appliance_cli.config.appliance import Appliance
from appliance_cli.config.table import SETTINGS
from appliance_cli.doctor import redact, report
from appliance_cli.doctor.settings import token_file
from appliance_cli.host.finding import Finding
from appliance_cli.measure import bench_report
from appliance_cli.stack import status

LOG_LINES = 2000
_ASKED = {
    "nvidia-smi.txt": ["nvidia-smi"],
    "nvidia-smi-processes.txt": ["nvidia-smi", "--query-compute-apps=pid,name,used_memory", "--format=csv"],
    "docker-version.txt": ["docker", "version"],
    "docker-info.txt": ["docker", "info"],
    "compose-version.txt": ["docker", "compose", "version"],
    "disks.txt": ["df", "--human-readable", "--output=source,fstype,size,used,avail,pcent,target"],
    "memory.txt": ["free", "--human"],
}


def write(target: Path, appliance: Appliance, findings: list[Finding]) -> list[str]:
    """Write the file, readable by its owner only; the names that are in it."""
    secrets = secrets_of(appliance)
    names = []
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.fchmod(handle, 0o600)  # why: a file that was there keeps its mode
    with os.fdopen(handle, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, content in _parts(appliance, findings, secrets):
            data = redact.text(content, secrets).encode("utf-8", "replace")
            entry = tarfile.TarInfo(f"appliance-support/{name}")
            entry.size, entry.mtime, entry.mode = len(data), int(time.time()), 0o600
            archive.addfile(entry, io.BytesIO(data))
            names.append(name)
    return names


def secrets_of(appliance: Appliance) -> list[str]:
    """Values that may stand nowhere: private settings, and what is in the files that settings name."""
    values = given_values.read(appliance.env_file)
    private = [
        values[name] for name, setting in SETTINGS.items() if setting.kind.private and values.get(name)
    ]
    found = [part for value in private for part in (value, *_of_address(value))]
    token = token_file(appliance, values)
    # why: what cannot be read here stands in nothing that is; doctor names it
    with suppress(OSError):
        found += token.read_text(errors="replace").split() if token else []
    return found


def _of_address(value: str) -> tuple[str, ...]:
    """The name and the password in a proxy's or a mirror's address."""
    parts = urlsplit(value)
    return tuple(unquote(part) for part in (parts.username, parts.password) if part)


def settings(values: Mapping[str, str]) -> str:
    """What .env and the shell set, of this appliance's settings alone; private ones only as set."""
    lines = [f"{name}={redact.setting(name, values[name])}" for name in SETTINGS if values.get(name)]
    return "\n".join(lines) + "\n"


def _parts(appliance: Appliance, findings: list[Finding], secrets: list[str]) -> Iterator[tuple[str, str]]:
    yield "doctor.txt", report.table(findings) + "\n"
    yield "doctor.json", json.dumps(report.content(findings), indent=2) + "\n"
    yield "versions.txt", _versions(appliance)
    yield "settings.env", settings(given_values.read(appliance.env_file))
    for name, argv in _ASKED.items():
        answer = ask(argv)
        yield name, answer.out + answer.err
    plan = appliance.root / f"compose.engine.{appliance.project}.yml"
    if plan.is_file():
        yield "plan.yml", plan.read_text()
    benchmark = bench_report.path_of(appliance)
    if benchmark.is_file():
        yield f"benchmark/{benchmark.name}", benchmark.read_text(errors="replace")
    for own in sorted(appliance.logs.glob("*.log")):
        yield (
            f"commands/{own.name}",
            "\n".join(redact.log(own.read_text(errors="replace").splitlines()[-LOG_LINES:], secrets)),
        )
    client, error = connect()
    if client is None:
        yield "docker.txt", f"Docker does not answer: {error}\n"
        return
    yield from _running(appliance, client, secrets)
    client.close()


def _running(appliance: Appliance, client: DockerClient, secrets: list[str]) -> Iterator[tuple[str, str]]:
    try:
        content, _ = status.report(appliance)
        yield "status.json", json.dumps(content, indent=2) + "\n"
        found = containers.of_project(client, appliance.project)
    except FAILURES as error:
        yield "status.txt", f"{error}\n"
        return
    for container in found:
        lines = containers.log_tail(client, container.id, LOG_LINES)
        yield f"logs/{container.name}.log", "\n".join(redact.log(lines, secrets, container.service)) + "\n"
        engine = " ".join(container.arguments) if containers.is_engine(container.service) else ""
        if engine:
            yield f"engines/{container.name}.txt", engine + "\n"


def _versions(appliance: Appliance) -> str:
    commit = ask(["git", "-C", str(appliance.root), "describe", "--always", "--dirty"]).out.strip()
    system = ask(["uname", "-srm"]).out.strip()
    release = Path("/etc/os-release")
    name = next((line for line in release.read_text().splitlines() if line.startswith("PRETTY")), "")
    lines = [f"appliance {version.of(appliance.root)}", f"commit {commit or 'none'}", system, name]
    return "\n".join([*lines, f"python {platform.python_version()}"]) + "\n"
