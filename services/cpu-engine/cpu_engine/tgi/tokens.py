"""POST /tokenize, and the token objects that it shares with /chat_tokenize."""

from collections.abc import Sequence

import orjson
from starlette.requests import Request
from starlette.responses import Response

from cpu_engine.engine import Piece
from cpu_engine.tgi.http import read_json
from cpu_engine.tgi.service import Service
from cpu_engine.tgi.shapes import generate_request


class TokenizeRoutes:
    """Handler of /tokenize."""

    def __init__(self, service: Service) -> None:
        self._inference = service.inference
        self._payload_limit = service.settings.payload_limit

    async def tokenize(self, request: Request) -> Response:
        """POST /tokenize."""
        asked = await read_json(request, self._payload_limit, generate_request)
        pieces = await self._inference.tokenize(asked)
        return Response(orjson.dumps(simple_tokens(asked.inputs, pieces)), media_type="application/json")


def simple_tokens(text: str, pieces: Sequence[Piece]) -> list[dict[str, object]]:
    """TGI's {id, text, start, stop}, with offsets in bytes.

    A token inside a character spans all of it. A beginning-of-text token that the tokenizer adds has no text.
    Pieces that are not the text's own bytes (a tokenizer that rewrites it) have no offsets: then, as TGI does
    with a slow tokenizer, every text is empty and every offset 0.
    """
    raw = text.encode()
    if pieces and _joined(pieces) != raw:
        pieces = [Piece(pieces[0].id, b""), *pieces[1:]]
    if _joined(pieces) != raw:
        return [{"id": piece.id, "text": "", "start": 0, "stop": 0} for piece in pieces]
    tokens: list[dict[str, object]] = []
    position = 0
    for piece in pieces:
        start, position = position, position + len(piece.raw)
        stop = position
        while piece.raw and _inside_character(raw, start):
            start -= 1
        while _inside_character(raw, stop):
            stop += 1
        tokens.append({"id": piece.id, "text": raw[start:stop].decode(), "start": start, "stop": stop})
    return tokens


def _inside_character(raw: bytes, position: int) -> bool:
    return position < len(raw) and raw[position] & 0xC0 == 0x80


def _joined(pieces: Sequence[Piece]) -> bytes:
    return b"".join(piece.raw for piece in pieces)
