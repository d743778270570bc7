"""Another nginx in front of the door: streams still pass piece by piece, whatever it was told of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness import raw_http
from harness.lone_door import LoneDoor
from harness.stack import Stack

pytest_plugins = ["harness.door_fixtures"]

# as it comes, and as the newer ones come: buffering is on in both
FRONTS = {
    "HTTP/1.0": "proxy_http_version 1.0;",
    "HTTP/1.1": 'proxy_http_version 1.1; proxy_set_header Connection "";',
}
PIECES = 20
STREAMS = {"/generate_stream": "POST", "/gradio_api/queue/data": "GET"}


@pytest.fixture(scope="module")
def reached(guarded: Stack, bearer: str, cookie: str) -> Iterator[LoneDoor]:
    """A door that answers others than its own machine; it knows who has the key and the cookie."""
    with LoneDoor.beside(guarded, {"BIND_ADDRESS": "0.0.0.0"}) as door:
        yield door


@pytest.mark.parametrize("front", FRONTS.values(), ids=FRONTS)
@pytest.mark.parametrize("path", STREAMS)
def test_a_stream_comes_in_no_clumps(
    reached: LoneDoor, bearer: str, cookie: str, path: str, front: str
) -> None:
    port = reached.behind_a_proxy(front)
    sizes: list[int] = []
    with raw_http.reading(port, STREAMS[path], path, bearer, cookie) as pieces:
        while sum(sizes) < PIECES:
            sizes.append(next(pieces).count(b"written_at"))
    # ten are written a second; a proxy that collects them passes on dozens at a time
    assert max(sizes) < PIECES, sizes


@pytest.mark.parametrize("path", STREAMS)
def test_what_a_proxy_has_to_know_stands_in_the_answer(
    echoing: LoneDoor, bearer: str, cookie: str, path: str
) -> None:
    with raw_http.reading(echoing.port, STREAMS[path], path, bearer, cookie) as pieces:
        headers = raw_http.head_of(pieces)
    assert headers["x-accel-buffering"] == "no"
    assert headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", ["/v1/models", "/whoami", "/status"])
def test_other_answers_say_nothing_of_it(echoing: LoneDoor, bearer: str, cookie: str, path: str) -> None:
    headers = raw_http.ask(echoing.port, "GET", path, bearer, cookie).headers
    assert not headers.keys() & {"x-accel-buffering", "cache-control"}
