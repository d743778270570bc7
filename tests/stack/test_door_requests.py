"""Where a request ends is never in doubt: what is malformed is refused, and its connection closed."""

from __future__ import annotations

import pytest

from harness import raw_http
from harness.lone_door import LoneDoor, headers_of
from harness.raw_http import lines
from harness.stack import Stack

pytest_plugins = ["harness.door_fixtures"]

HIDDEN = "GET /v1/models?hidden HTTP/1.1\r\nHost: door\r\n{key}\r\n\r\n"
CHUNKED = "0\r\n\r\n"
FRAMINGS = {
    "length and chunks": ("Content-Length: 5\r\nTransfer-Encoding: chunked", CHUNKED),
    "chunks and length": ("Transfer-Encoding: chunked\r\nContent-Length: 5", CHUNKED),
    "two lengths": ("Content-Length: 0\r\nContent-Length: 40", ""),
    "one length twice": ("Content-Length: 5\r\nContent-Length: 5", "hello"),
    "a list of lengths": ("Content-Length: 0, 5", ""),
    "a negative length": ("Content-Length: -1", ""),
    "a signed length": ("Content-Length: +5", "hello"),
    "a hexadecimal length": ("Content-Length: 0x5", "hello"),
    "a huge length": ("Content-Length: 99999999999999999999999", ""),
    "a length that wraps around": ("Content-Length: 18446744073709551621", "hello"),
    "space before the length's colon": ("Content-Length : 5", "hello"),
    "space before the colon": ("Transfer-Encoding : chunked", CHUNKED),
    "tab before the value": ("Transfer-Encoding:\tchunked", CHUNKED),
    "tab after the value": ("Transfer-Encoding: chunked\t", CHUNKED),
    "vertical tab": ("Transfer-Encoding: \x0bchunked", CHUNKED),
    "zero byte": ("Transfer-Encoding: chunked\x00", CHUNKED),
    "unknown coding": ("Transfer-Encoding: xchunked", CHUNKED),
    "two codings": ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", CHUNKED),
    "two codings, chunked last": ("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked", CHUNKED),
    "a list of codings": ("Transfer-Encoding: identity, chunked", CHUNKED),
    "compressed chunks": ("Transfer-Encoding: gzip, chunked", CHUNKED),
    "folded value": ("Transfer-Encoding:\r\n chunked", CHUNKED),
    "folded header": ("X-A: b\r\n Transfer-Encoding: chunked", CHUNKED),
    "bare line feed": ("Content-Length: 5\r\nX-A: b\nTransfer-Encoding: chunked", CHUNKED),
    "bare carriage return": ("Content-Length: 5\r\nX-A: b\rTransfer-Encoding: chunked", CHUNKED),
    "chunk size that wraps around": ("Transfer-Encoding: chunked", "10000000000000000\r\nx\r\n" + CHUNKED),
    "huge chunk size": ("Transfer-Encoding: chunked", "ffffffffffffffff\r\nx\r\n" + CHUNKED),
    "negative chunk size": ("Transfer-Encoding: chunked", "-5\r\nhello\r\n" + CHUNKED),
    "0x chunk size": ("Transfer-Encoding: chunked", "0x5\r\nhello\r\n" + CHUNKED),
    "line feed in a chunk's extension": ("Transfer-Encoding: chunked", "5;a=b\nxx\r\nhello\r\n" + CHUNKED),
    "chunks ended by line feeds": ("Transfer-Encoding: chunked", "5\nhello\n0\n\n"),
    "chunk longer than its size": ("Transfer-Encoding: chunked", "5\r\nhelloXX0\r\n\r\n"),
    "header name with a space": ("X A: b\r\nContent-Length: 0", ""),
    "header without a name": (": b\r\nContent-Length: 0", ""),
}


@pytest.mark.parametrize("name", FRAMINGS)
def test_a_request_of_doubtful_length_is_refused_and_the_connection_closed(
    guarded: Stack, echoing: LoneDoor, bearer: str, name: str
) -> None:
    framing, body = FRAMINGS[name]
    data = lines("POST /generate", bearer, framing, body=body + HIDDEN.format(key=bearer))
    for port in (echoing.port, guarded.port):
        done = raw_http.exchange(port, data)
        assert done.only.status in (400, 501)
        assert done.closed
    assert echoing.seen() == []


@pytest.mark.parametrize("line", ["POST /generate", "GET /v1/models", "POST /nothing"])
@pytest.mark.parametrize("known", [True, False])
def test_a_request_inside_a_body_stays_a_body(echoing: LoneDoor, bearer: str, line: str, known: bool) -> None:
    hidden = HIDDEN.format(key=bearer)
    credentials = [bearer] if known else []
    whole = lines(line, *credentials, f"Content-Length: {len(hidden)}", body=hidden)
    chunks = f"{len(hidden):x};ext=1\r\n{hidden}\r\n0\r\nX-User: eve\r\n\r\n"
    chunked = lines(line, *credentials, "Transfer-Encoding: chunked", body=chunks)
    reaches = known and line != "POST /nothing"
    for data in (whole, chunked):
        echoing.forget()
        answer = raw_http.exchange(echoing.port, data).only
        assert (answer.status == 200) == reaches
        reached = [(f"{seen['method']} {seen['target']}", seen["body"]) for seen in echoing.seen()]
        assert reached == ([(line, hidden)] if reaches else [])
        assert "x-user" not in (headers_of(echoing.seen()[0]) if reaches else {})


def test_a_body_that_is_refused_for_its_size_hides_no_request(echoing: LoneDoor, bearer: str) -> None:
    data = lines("POST /generate", bearer, "Content-Length: 5000000", body=HIDDEN.format(key=bearer))
    assert raw_http.exchange(echoing.port, data).only.status == 413
    assert echoing.seen() == []


def test_each_request_of_one_connection_shows_its_own_credentials(echoing: LoneDoor, bearer: str) -> None:
    first = lines("POST /generate", bearer, "Content-Length: 5", body="hello")
    second = lines("GET /v1/models")
    assert [a.status for a in raw_http.exchange(echoing.port, first + second).answers] == [200, 401]
    assert [a.status for a in raw_http.exchange(echoing.port, second + first).answers] == [401, 200]
    assert [seen["target"] for seen in echoing.seen()] == ["/generate", "/generate"]


@pytest.mark.parametrize(
    "start",
    [
        *(
            "GET /health HTTP/1.1\r\n",
            "GET /health HTTP/1.1\r\nHost:\r\n",
            "GET /health HTTP/1.1\r\nHost: a/b\r\n",
        ),
        *("GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n", "GET /health HTTP/1.1\r\nHost: a@b\r\n"),
        *("GET /health HTTP/1.1\r\nHost: a b\r\n", 'GET /health HTTP/1.1\r\nHost: "><script>\r\n'),
        *("GET /health HTTP/1.1\r\nHost: a:port\r\n", "GET /health HTTP/1.1\r\n Host: a\r\n"),
        *(
            "GET /health HTTP/2.0\r\nHost: a\r\n",
            "GET /health HTTP/9.9\r\nHost: a\r\n",
            "get /health HTTP/1.1\r\nHost: a\r\n",
        ),
        *(
            "GET  /health /x HTTP/1.1\r\nHost: a\r\n",
            "PRI * HTTP/2.0\r\n",
            "\x16\x03\x01\x02\x00\x01\x00\r\n",
        ),
        *("TRACE /health HTTP/1.1\r\nHost: a\r\n", "CONNECT tgi:3000 HTTP/1.1\r\nHost: a\r\n"),
    ],
)
def test_a_malformed_start_is_refused_and_the_connection_closed(echoing: LoneDoor, start: str) -> None:
    done = raw_http.exchange(echoing.port, f"{start}\r\n{lines('GET /health').decode()}".encode("latin-1"))
    assert done.only.status in (400, 405, 505)
    assert done.closed
    assert echoing.seen() == []


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "NONSENSE"])
def test_no_method_is_a_way_past_the_checks(echoing: LoneDoor, method: str) -> None:
    for target, status in {
        "/generate": 401,
        "/v1/models": 401,
        "/": 401,
        "/config": 401,
        "/metrics": 404,
    }.items():
        assert raw_http.ask(echoing.port, method, target).status == status, target
    assert echoing.seen() == []
