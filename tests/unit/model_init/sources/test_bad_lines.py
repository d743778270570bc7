"""What a line, a server or a clock can do to a download: it waits and goes on, or names what is wrong."""

from __future__ import annotations

import datetime
import re
import ssl
import subprocess
import threading
from collections.abc import Iterator
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TextIO

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from harness.hub import Hub, running_hub
from harness.hub_faults import Fault
from harness.model_init_run import MODEL_ID, SHARD_1, ModelInit, tiny_model
from harness.waiting import wait_until
from model_init.errors import TransientError
from model_init.sources.http import get
from model_init.sources.retry import asked_to_wait_s, pause_s

NOBODY = "http://127.0.0.1:9"
HURRIED = """
from model_init.sources import course, retry
retry.SAY_EVERY_S = 0.5
course.REST_S = retry.MAX_WAIT_S = 0.1
"""
ENDLESS = {"MODEL_RETRIES": "", "MODEL_RETRY_WAIT": "0.05"}


def test_a_night_without_line_is_waited_for(volume: Path, hub: Hub) -> None:
    """The hub goes away in the middle of a file, and comes back at the same address."""
    hub.repos[MODEL_ID].faults[SHARD_1] = [Fault(cut_at=400_000)]
    gone = threading.Event()

    def go(name: str, position: int) -> None:
        if name == SHARD_1 and position >= 327_680 and not gone.is_set():
            gone.set()
            hub.close()

    hub.before_block = go
    model_init = ModelInit(volume, HF_ENDPOINT=hub.endpoint)
    said = volume.parent / "said"
    with said.open("w") as log, _start(model_init, log) as process:
        wait_until(lambda: "nothing has come for" in said.read_text(), "it says that it waits")
        waiting = model_init.read_status()
        port = int(hub.endpoint.rsplit(":", 1)[1])
        with running_hub(port=port, models={MODEL_ID: tiny_model()}) as back:
            assert process.wait(60) == 0, said.read_text()
            assert [r.range for r in back.deliveries_of(SHARD_1)] == ["bytes=400000-"]
    text = said.read_text()
    line = _waiting_for(hub.endpoint, "[Errno 111] Connection refused")
    assert line in text
    # one line for each thing that happened, not one for each try
    assert text.count("trying again in") == 2
    assert waiting["waiting"] == line
    assert model_init.read_status()["waiting"] is None


def _waiting_for(endpoint: str, why: str) -> str:
    return (
        f"nothing has come for 0 min; {endpoint}: no answer ({why}). "
        "What came is kept, and it goes on when the line is back (an end: MODEL_RETRIES)"
    )


def test_before_there_is_a_list_it_is_waited_for_too(volume: Path) -> None:
    with running_hub() as first:
        endpoint = first.endpoint
    model_init = ModelInit(volume, HF_ENDPOINT=endpoint)
    said = volume.parent / "said"
    with said.open("w") as log, _start(model_init, log) as process:
        wait_until(lambda: said.read_text().count("nothing has come for") == 2, "it says that it waits")
        waiting = model_init.read_status()
        port = int(endpoint.rsplit(":", 1)[1])
        with running_hub(port=port, models={MODEL_ID: tiny_model()}):
            assert process.wait(60) == 0, said.read_text()
    text = said.read_text()
    line = _waiting_for(endpoint, "ConnectError: [Errno 111] Connection refused")
    assert line in text
    # not once for each try
    assert text.count("trying again in") == 1
    assert waiting["waiting"] == line
    assert waiting["stage"] == "starting"
    assert model_init.read_status()["waiting"] is None


def test_of_several_sources_without_a_list_each_is_said_once(volume: Path) -> None:
    model_init = ModelInit(
        volume, HF_ENDPOINT=NOBODY, HF_MIRROR_ENDPOINT=NOBODY + "1", MODEL_SOURCES="hub,hf-mirror"
    )
    said = volume.parent / "said"
    with said.open("w") as log, _start(model_init, log) as process:
        wait_until(lambda: said.read_text().count("nothing has come for") == 2, "it says that it waits")
        process.terminate()
        process.wait(60)
    text = said.read_text()
    assert text.count(f"no list of files from hub ({NOBODY}): ") == 1
    for endpoint in (NOBODY, NOBODY + "1"):
        assert re.search(rf"nothing has come for 0 min; .*{endpoint}: no answer", text)


def _start(model_init: ModelInit, log: TextIO) -> subprocess.Popen[bytes]:
    """A run whose lines can be read while it goes on."""
    return subprocess.Popen(
        model_init.command(prelude=HURRIED), env={**model_init.environ, **ENDLESS}, stderr=log
    )


@pytest.mark.parametrize("fault", [Fault(status=401, always=True), Fault(status=403, always=True)])
def test_what_can_not_succeed_ends_at_once_without_an_end_of_tries(
    hub: Hub, model_init: ModelInit, fault: Fault
) -> None:
    hub.repos[MODEL_ID].faults["config.json"] = [fault]
    result = model_init.run(**ENDLESS)

    assert result.code == 12
    assert len(hub.deliveries_of("config.json")) == 1


def test_a_file_that_is_always_another_ends_without_an_end_of_tries(hub: Hub, model_init: ModelInit) -> None:
    hub.repos[MODEL_ID].faults[SHARD_1] = [Fault(truncate_to=500_000, always=True)]
    result = model_init.run(**ENDLESS)

    assert result.code == 14
    assert len(hub.deliveries_of(SHARD_1)) == 3


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "20"}, 20),
        ({"ratelimit": '"api";r=0;t=55'}, 55),
        ({"ratelimit": "limit=100, remaining=0, reset=7"}, 7),
        ({"retry-after": "3", "ratelimit": '"api";r=0;t=55'}, 3),
        ({"ratelimit-policy": '"api";q=500;w=300'}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "²"}, None),
        ({"retry-after": "Fri, 27 Nov 2026 08:00:00 +9999999"}, None),
        ({"retry-after": "Fri, 27 Nov 2020 08:00:00 -0000"}, 0),
        ({}, None),
    ],
)
def test_how_long_a_source_asks_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert asked_to_wait_s(headers) == seconds


def test_a_date_to_wait_for() -> None:
    at = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=90)
    assert 60 < (asked_to_wait_s({"retry-after": format_datetime(at, usegmt=True)}) or 0) <= 90


def test_what_is_asked_for_is_obeyed_and_pauses_of_our_own_grow_to_a_minute() -> None:
    assert pause_s(TransientError("429", 300), 1, 1) == 300
    assert [pause_s(TransientError("x"), failures, 1) for failures in (1, 2, 3, 7, 1000)] == [1, 2, 4, 60, 60]


def test_a_rate_limit_is_obeyed(hub: Hub, model_init: ModelInit) -> None:
    hub.repos[MODEL_ID].faults[SHARD_1] = [Fault(status=429, headers=(("RateLimit", '"resolvers";r=0;t=1'),))]
    result = model_init.run()

    assert result.code == 0, result.log
    assert f"{hub.endpoint}: {SHARD_1}: the answer 429; trying again in 1 s (1 of 2)" in result.log


def test_a_dead_cdn_is_named(hub: Hub, model_init: ModelInit) -> None:
    hub.repos[MODEL_ID].cdn = NOBODY
    result = model_init.run()

    assert result.code == 13
    assert (
        f"{hub.endpoint}: {SHARD_1}: 127.0.0.1:9, to which it redirects, does not answer ([Errno 111] "
        "Connection refused); trying again in 0 s (1 of 2)"
    ) in result.log
    assert (
        f"expected an answer from {hub.endpoint}, found: 127.0.0.1:9, to which it redirects, does not"
        in result.log
    )


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("http://[bad", "no answer (HTTPException: a redirect to an address that is none ("),
        ("http://cdn.invalid:port", "no answer (HTTPException: a redirect to an address that is none ("),
        ("http://cdn..invalid", "no answer (HTTPException: a redirect to an address that is none ("),
        ("ftp://cdn.invalid", "no answer (HTTPException: a redirect to an address that is not http or https"),
        ("http://cdn.\xe9.invalid", "cdn.%E9.invalid, to which it redirects, does not answer ("),
    ],
)
def test_a_redirect_to_no_address_is_that_source_s_failure(
    hub: Hub, mirror: Hub, all_three: ModelInit, broken: str, said: str
) -> None:
    hub.repos[MODEL_ID].cdn = broken
    result = all_three.run()

    assert result.code == 0, result.log
    assert f"{hub.endpoint}: {SHARD_1}: {said}" in result.log
    assert SHARD_1 in mirror.names()


class _Unquoted(BaseHTTPRequestHandler):
    """Redirects to a name as it is written, and has it where it is quoted."""

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/caf%E9%20x" else 302)
        self.send_header("Location", "/caf\xe9 x")
        self.send_header("Content-Length", "0")
        self.end_headers()


def test_a_redirect_whose_name_is_not_quoted_is_followed() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Unquoted) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        with get(f"http://127.0.0.1:{server.server_port}/", {}, secret={}, stall_s=10) as answer:
            assert (answer.status, answer.redirected) == (200, True)
        server.shutdown()


def test_a_gated_model_whose_hub_is_out_of_reach(mirror: Hub, all_three: ModelInit, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("hf_secret")
    mirror.repos[MODEL_ID].info_fault = Fault(status=401, error_code="GatedRepo")
    result = all_three.run(MODEL_SOURCES="hub,hf-mirror", HF_ENDPOINT=NOBODY, HF_TOKEN_FILE=str(token))

    assert result.code == 13
    assert (
        f"gated model: {mirror.endpoint} wants a token for {MODEL_ID}, and yours (HF_TOKEN_FILE) is for the "
        "Hub alone, which did not answer; make the Hub reachable (HF_ENDPOINT, HTTPS_PROXY), or bring the "
        "files by hand (MODEL_SOURCE=folder)"
    ) in result.log
    assert "found no token" not in result.log


class _Redirects(BaseHTTPRequestHandler):
    """Sends whoever asks to the hub of the tests."""

    target: str

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""

    def do_GET(self) -> None:
        self.send_response(302)
        self.send_header("Location", self.target + self.path)
        self.send_header("Content-Length", "0")
        self.end_headers()


@pytest.fixture
def tomorrows(hub: Hub, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A hub over TLS, trusted, whose certificate begins tomorrow."""
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    _write_certificate(certificate, key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Redirects,), {"target": hub.endpoint}))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield f"https://localhost:{server.server_address[1]}", certificate
    server.shutdown()
    server.server_close()
    thread.join()


def _write_certificate(certificate: Path, key: Path) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    tomorrow = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1)
    signed = (
        x509.CertificateBuilder(name, name, private.public_key(), x509.random_serial_number())
        .not_valid_before(tomorrow)
        .not_valid_after(tomorrow + datetime.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(private, hashes.SHA256())
    )
    certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


@pytest.mark.parametrize("listed", [False, True], ids=["the list", "a file"])
def test_a_certificate_of_the_future_points_at_the_clock(
    hub: Hub, model_init: ModelInit, tomorrows: tuple[str, Path], listed: bool
) -> None:
    endpoint, certificate = tomorrows
    if listed:
        hub.repos[MODEL_ID].faults[SHARD_1] = [Fault(status=500)]
        assert model_init.run(MODEL_RETRIES="0").code == 13
    result = model_init.run(HF_ENDPOINT=endpoint, CA_BUNDLE_FILE=str(certificate), **ENDLESS)

    assert result.code == 13
    today = f"{datetime.datetime.now(datetime.UTC):%Y-%m-%dT}"
    assert "certificate is not yet valid" in result.log
    assert f"this machine's clock says {today}" in result.log
    assert ": set it right, then start again" in result.log
    assert "CA_BUNDLE" not in result.log
