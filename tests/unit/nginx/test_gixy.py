"""The rendered configuration has no weakness that gixy knows, but for those that are meant."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

NGINX = Path(__file__).resolve().parents[3] / "nginx"
# (gixy's check, the variable that it names) and why it is no weakness here
MEANT = {
    ("http_splitting", "$uri"): "rewrite escapes what it puts into a path: test_door_paths sends %0d%0a",
    ("http_splitting", "$person"): "gate.js lets only names through that match NAME, which has no line feed",
    (
        "http_splitting",
        "$sso_host",
    ): "gate.js lets only hosts through that match HOST, which has no line feed",
    (
        "http_splitting",
        "$account",
    ): "a name of the operator's files, or one that matched NAME; inside, what the door has said",
    ("http_splitting", "$sso_url"): "comes from the operator's environment, nothing of a request is in it",
    ("http_splitting", "$sso_sign_in_url"): "comes from the operator's environment as well",
    ("host_spoofing", ""): "the page is reached by any name and port that the operator publishes",
}


@pytest.fixture(params=["off", "files"])
def rendered(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The configuration as a container has it, generated parts included, in a folder of its own."""
    shutil.copytree(NGINX, tmp_path / "etc", ignore=shutil.ignore_patterns("access"))
    for folder in ("state", "tmp", "access/custom", "access/tls", "bin"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "access/tls/server.pem").write_text("a certificate\n")
    (tmp_path / "access/custom/x.conf").write_text("location = /custom { return 204; }\n")
    # nginx accepts everything here: what it says is the image build's business
    (tmp_path / "bin/nginx").symlink_to("/bin/true")
    homes = {"/etc/nginx/": tmp_path / "etc"}
    homes |= {f"/{name}/": tmp_path / name for name in ("state", "tmp", "access")}
    for file in (path for path in (tmp_path / "etc").rglob("*") if path.is_file()):
        text = file.read_text()
        file.write_text(re.sub("|".join(homes), lambda found: f"{homes[found[0]]}/", text))
    subprocess.run(
        ["sh", tmp_path / "etc/apply", "--start"],
        env={
            **os.environ,
            "APPLIANCE_NAME": "unit",
            "TLS": request.param,
            "PATH": f"{tmp_path}/bin:{os.environ['PATH']}",
        },
        check=True,
    )
    return tmp_path / "etc/nginx.conf"


def test_gixy_finds_nothing_but_what_is_meant(rendered: Path) -> None:
    found = {}
    for issue in _gixy(rendered):
        variable = re.search(r'variable "(\$\w+)"', issue["reason"] or "")
        found[issue["plugin"], variable[1] if variable else ""] = issue["config"]
    assert {name: config for name, config in found.items() if name not in MEANT} == {}
    assert found.keys() == MEANT.keys(), "an exception that is no longer needed goes"


@pytest.mark.parametrize(
    "part",
    [
        "etc/conf.d/door.conf",
        "etc/conf.d/internal.conf",
        "tmp/generated/listen.conf",
        "tmp/generated/door.conf",
    ],
)
def test_gixy_sees_every_part(rendered: Path, part: str) -> None:
    """The control: a weakness that is put into a part is found."""
    file = rendered.parents[1] / part
    weak = "location = /weak { return 302 $uri; }\n"
    text = file.read_text()
    file.write_text(
        text.replace("server {\n", f"server {{\n{weak}", 1) if "server {\n" in text else text + weak
    )
    assert "/weak" in "".join(issue["config"] for issue in _gixy(rendered))


def _gixy(configuration: Path) -> list[dict[str, Any]]:
    """Its findings of severity MEDIUM and HIGH."""
    command = [sys.executable, "-m", "gixy", "-ll", "--format", "json", str(configuration)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    issues: list[dict[str, Any]] = json.loads(done.stdout)
    return issues
