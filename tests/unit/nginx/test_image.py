"""nginx itself accepts the configuration that its image renders, whatever the settings.

Needs Docker and the base image, no appliance. What the configuration does, tests/stack/test_door_*.py show.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import docker
import pytest

from harness.stack import REPO, found_on_this_host

SSO = {"SSO_URL": "http://sso:4180/auth", "SSO_SIGN_IN_URL": "/sso/start", "SSO_USER_HEADER": "X-User-Name"}
CERTIFIED = "mkdir /access/tls; echo certificate >/access/tls/server.pem; "
ADDED = "mkdir /access/custom; echo '{}' >/access/custom/x.conf; "

Run = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """Runs a shell line in a container as the appliance's: what it exits with, and all that it says."""
    client = docker.from_env()
    base = found_on_this_host().get("NGINX_BASE")
    tag = "qwen-appliance/nginx:check"
    image, _ = client.images.build(
        path=str(REPO / "nginx"),
        tag=tag,
        buildargs={"NGINX_BASE": base} if base else {},
        rm=True,
    )

    def line(command: str, settings: dict[str, str] | None = None) -> tuple[int, str]:
        container = client.containers.run(
            image,
            ["-c", command],
            entrypoint="/bin/sh",
            environment=settings or {},
            user="10001:10001",
            read_only=True,
            network_mode="none",
            tmpfs={folder: "uid=10001" for folder in ("/tmp", "/state", "/access")},
            detach=True,
        )
        try:
            return container.wait()["StatusCode"], container.logs().decode()
        finally:
            container.remove(force=True)

    yield line
    client.images.remove(tag)  # by its name: the appliance's own image may be the very same
    client.close()


@pytest.mark.parametrize("sso", [{}, SSO], ids=["passwords", "sso"])
@pytest.mark.parametrize("tls", ["off", "self-signed", "files"])
def test_nginx_accepts_what_is_rendered(run: Run, tls: str, sso: dict[str, str]) -> None:
    command = CERTIFIED + ADDED.format("location = /custom { return 204; }") + "/etc/nginx/apply --start"
    assert run(command, {"TLS": tls, "APPLIANCE_NAME": "one-2", **sso}) == (0, "")


@pytest.mark.parametrize(
    ("command", "settings", "why"),
    [
        ("", {"TLS": "files"}, "expected a certificate, found none"),
        ("", {"TLS": "yes"}, "expected off, self-signed or files, found 'yes'"),
        ("", {"APPLIANCE_NAME": "a;b"}, "APPLIANCE_NAME: expected small letters"),
        (ADDED.format("retrun 500;"), {}, 'unknown directive "retrun"'),
        (ADDED.format("location = /info { return 204; }"), {}, 'duplicate location "/info"'),
    ],
)
def test_what_cannot_be_used_is_refused(run: Run, command: str, settings: dict[str, str], why: str) -> None:
    code, said = run(f"{command}/etc/nginx/apply --start", settings)
    assert code == 1
    assert why in said


def test_the_health_check_says_one_line(run: Run) -> None:
    assert run("/etc/nginx/healthcheck.sh") == (1, "nginx does not accept connections\n")
