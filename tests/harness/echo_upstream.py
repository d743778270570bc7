"""Stands behind nginx in place of all that it serves, and keeps what reached it, byte for byte.

Owns: an HTTP/1.1 reader that repairs nothing, so that what nginx sent is seen as it was sent. Knows nothing
of nginx or of the tests. Standard library only: it runs inside a container.

Ports: 7860 the chat, 3000 the engine, 8000 openai-api, 4180 the sign-on service, 9000 the record (GET /seen,
POST /forget). Every answer of the first three is the request as JSON, but: `STREAMS` go on as event streams,
each frame with its time, until their reader leaves; /tokenize answers one token a word, as TGI does; a
request with the header X-Echo-Never is not answered, one with X-Echo-Full as TGI answers when it is full,
with the header's number as Retry-After. With X-Echo-As-Is openai-api sends the request on to the engine.
"""

from __future__ import annotations

import asyncio
import json
import time
from functools import partial
from typing import Any, TypeAlias

SERVICES = {7860: "ui", 3000: "tgi", 8000: "openai-api", 4180: "sso"}
CONTROL_PORT = 9000
STREAMS = ("/generate_stream", "/gradio_api/queue/data")
STREAM_PAUSE_S = 0.1
KEPT_BODY = 100_000

Reader: TypeAlias = asyncio.StreamReader
Writer: TypeAlias = asyncio.StreamWriter
seen: list[dict[str, Any]] = []


async def _read_request(reader: Reader) -> dict[str, Any]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *fields = head[:-4].split("\r\n")
    headers = [[name.lower(), value.strip()] for name, _, value in (field.partition(":") for field in fields)]
    sent = dict(headers)
    if sent.get("transfer-encoding") == "chunked":
        body = await _read_chunks(reader)
    else:
        body = await reader.readexactly(int(sent.get("content-length", "0")))
    method, _, rest = line.partition(" ")
    target = rest.rpartition(" ")[0]
    return {"method": method, "target": target, "headers": headers, "body": body.decode("latin-1")}


async def _read_chunks(reader: Reader) -> bytes:
    body = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readuntil(b"\r\n")
    return body


async def _serve(service: str, reader: Reader, writer: Writer) -> None:
    try:
        while True:
            request = {"service": service, **await _read_request(reader)}
            seen.append({**request, "body": request["body"][:KEPT_BODY]})
            if request["target"] in STREAMS:
                await _stream(writer)
                return
            if request["target"] == "/tokenize":
                await _answer(writer, "200 OK", {}, _tokens(json.loads(request["body"]).get("inputs", "")))
                continue
            if any(name == "x-echo-never" for name, _ in request["headers"]):
                await reader.read()
                return
            if service == "openai-api" and any(name == "x-echo-as-is" for name, _ in request["headers"]):
                await _answer(writer, "200 OK", {"X-Accel-Redirect": "@engine_as_is"}, None)
                continue
            full = [value for name, value in request["headers"] if name == "x-echo-full"]
            if full:
                again = {"Retry-After": full[0]} if full[0].isdigit() else {}
                refusal = {"error": "Model is overloaded", "error_type": "overloaded"}
                await _answer(writer, "429 Too Many Requests", again, refusal)
                continue
            status, headers = _sign_on(request) if service == "sso" else ("200 OK", {})
            await _answer(writer, status, headers, request)
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


def _sign_on(request: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """As oauth2-proxy's /oauth2/auth: lets in whoever brings the cookie that it once gave."""
    cookies = dict(request["headers"]).get("cookie", "").split("; ")
    if "sso=yes" in cookies:
        return "202 Accepted", {"X-Auth-Request-User": "carol", "X-Stub-Name": "carol.stub"}
    if "sso=nameless" in cookies:
        return "202 Accepted", {}
    return "401 Unauthorized", {}


def _tokens(text: str) -> list[dict[str, Any]]:
    words = enumerate(text.split())
    return [{"id": 100_000 + i, "text": f" {word}", "start": i, "stop": i + len(word)} for i, word in words]


async def _answer(writer: Writer, status: str, headers: dict[str, str], content: Any) -> None:
    body = json.dumps(content).encode()
    headers = {**headers, "Content-Type": "application/json", "Content-Length": str(len(body))}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    writer.write(f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body)
    await writer.drain()


async def _stream(writer: Writer) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
    while not writer.is_closing():
        writer.write(f"data: {json.dumps({'generated_text': None, 'written_at': time.time()})}\n\n".encode())
        await writer.drain()
        await asyncio.sleep(STREAM_PAUSE_S)


async def _control(reader: Reader, writer: Writer) -> None:
    request = await _read_request(reader)
    if request["method"] == "POST":
        seen.clear()
    await _answer(writer, "200 OK", {"Connection": "close"}, seen)
    writer.close()


async def main() -> None:
    """Serves until the container ends."""
    for port, service in SERVICES.items():
        await asyncio.start_server(partial(_serve, service), port=port, limit=2**22)
    await (await asyncio.start_server(_control, port=CONTROL_PORT)).serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
