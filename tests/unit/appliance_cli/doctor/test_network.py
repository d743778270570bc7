"""What is fetched from where, asked at servers of this test, and what their silence means."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from appliance_cli.config import values
from appliance_cli.config.appliance import load
from appliance_cli.doctor import network
from appliance_cli.doctor.network import Place, Reached
from appliance_cli.doctor.troubles import TROUBLES

HUBS = [Place("hubs", name, f"http://{name}.invalid") for name in ("hub", "hf-mirror")]


@pytest.fixture
def late_server() -> Iterator[str]:
    """Answers 404, with the time of an hour from now."""

    class Late(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response_only(404)
            self.send_header("Date", formatdate(time.time() + 3600, usegmt=True))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Late)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def wrong(answers: list[Reached]) -> list[tuple[str, str]]:
    found = network.examine(answers)
    assert {finding.check for finding in found} <= set(TROUBLES)
    return [(finding.level, finding.check) for finding in found if finding.level != "ok"]


def test_where_files_come_from_follows_the_settings(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text(
        "COMPOSE_FILE=docker-compose.yml\nOFFLINE=0\nTGI_IMAGE=mirror.example:5000/tgi:3.3.7\n"
        "PIP_INDEX_URL=https://packages.example/simple\nMODEL_SOURCES=modelscope\nMODELSCOPE_ENDPOINT=http://m.example\n"
    )
    settings = values.read(env_file, {"OFFLINE": "0"})
    asked = network.places(load(tmp_path, env_file), settings)
    assert [(place.kind, place.url) for place in asked] == [
        ("registry", "https://mirror.example:5000/v2/"),
        ("package-index", "https://packages.example/simple"),
        ("hubs", "http://m.example"),
    ]


def test_a_refusal_is_an_answer_and_silence_is_not(late_server: str) -> None:
    places = [
        Place("registry", "the engine's image", late_server),
        Place("hubs", "hub", "http://127.0.0.1:9"),
    ]
    heard, deaf = network.ask_all(places, {})
    assert heard.error == ""
    assert deaf.error == "ConnectionError"
    assert ("warn", "hubs") in wrong([heard, deaf])


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, list[str]]]:
    """Its port, and what it was asked for; it refuses everything."""
    asked: list[str] = []

    class Refusing(BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            asked.append(self.path)
            self.send_error(403)

        def log_message(self, *_: object) -> None:
            pass

    monkeypatch.setattr(network, "PATIENCE_S", 30)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port, asked
    server.shutdown()
    server.server_close()


def test_hubs_are_asked_by_the_proxy_that_model_init_gets_as_this_host_sees_it(
    proxy: tuple[int, list[str]],
) -> None:
    port, asked = proxy
    environ = {"HTTPS_PROXY": f"http://host.docker.internal:{port}", "NO_PROXY": ".lan"}
    network.ask_all([Place("hubs", "hub", "https://hub.invalid")], environ)
    assert asked == ["hub.invalid:443"]


def test_what_no_proxy_names_is_asked_without_it(
    proxy: tuple[int, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    port, asked = proxy
    by = f"http://127.0.0.1:{port}"
    monkeypatch.setenv("HTTPS_PROXY", by)
    for around in ("hub.invalid", ".invalid", "*"):
        environ = {"HTTPS_PROXY": by, "NO_PROXY": around}
        network.ask_all([Place("hubs", "hub", "https://hub.invalid")], environ)
    assert asked == []


def test_a_clock_that_is_an_hour_behind(late_server: str) -> None:
    (heard,) = network.ask_all([Place("hubs", "hub", late_server)], {})
    (finding,) = [f for f in network.examine([heard]) if f.check == "clock"]
    assert finding.level == "fail"
    assert "behind" in finding.found


@pytest.mark.parametrize(("kind", "remedy"), [("registry", "TGI_IMAGE"), ("package-index", "PIP_INDEX_URL")])
def test_what_is_blocked_is_told_with_its_mirror(kind: network.Kind, remedy: str) -> None:
    (finding,) = network.examine([Reached(Place(kind, "x", "https://blocked.example"), "ConnectTimeout")])
    assert (finding.level, finding.check) == ("warn", kind)
    assert remedy in finding.remedy


def test_one_hub_is_enough() -> None:
    assert wrong([Reached(HUBS[0], "ConnectTimeout"), Reached(HUBS[1], "", 0.1)]) == []
    (finding,) = network.examine([Reached(hub, "ConnectTimeout") for hub in HUBS])
    assert finding.check == "hubs"
    assert "MODEL_SOURCES" in finding.remedy


@pytest.mark.parametrize(
    ("reason", "check"),
    [
        ("unable to get local issuer certificate", "corporate-proxy"),
        ("self-signed certificate in certificate chain", "corporate-proxy"),
        ("certificate is not yet valid", "clock"),
        ("certificate has expired", "clock"),
    ],
)
def test_a_certificate_that_is_refused_is_told_by_its_reason(reason: str, check: str) -> None:
    said = f"[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: {reason} (_ssl.c:1000)"
    assert ("fail", check) in wrong([network._refused(hub, said) for hub in HUBS])


def test_a_proxy_that_inspects_is_named() -> None:
    inspected = Reached(HUBS[0], "certificate verify failed", untrusted=True)
    assert ("fail", "corporate-proxy") in wrong([inspected, Reached(HUBS[1], "", 0.0)])
