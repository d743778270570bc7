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
        asked = generate_request(await read_json(request, self._payload_limit))
        pieces = await self._inference.tokenize(asked)
        return Response(orjson.dumps(simple_tokens(asked.inputs, pieces)), media_type="application/json")


def simple_tokens(text: str, pieces: Sequence[Piece]) -> list[dict[str, object]]:
    """TGI's {id, text, start, stop}, with offsets in characters.

    A token inside a character spans all of it. A beginning-of-text token that the tokenizer adds has no text.
    Pieces that are not the text's own bytes (a tokenizer that rewrites it) have no offsets: then, as TGI does
    with a slow tokenizer, every text is empty and every offset 0.
    """
    raw = text.encode()
    if pieces and not raw.endswith(_joined(pieces)):
        pieces = [Piece(pieces[0].id, b""), *pieces[1:]]
    tail = _joined(pieces)
    if not raw.endswith(tail):
        return [{"id": piece.id, "text": "", "start": 0, "stop": 0} for piece in pieces]
    starts_of_characters = [0] * (len(raw) + 1)  # characters that begin before each byte
    for position, byte in enumerate(raw):
        starts_of_characters[position + 1] = starts_of_characters[position] + (byte & 0xC0 != 0x80)
    tokens: list[dict[str, object]] = []
    position = len(raw) - len(tail)
    for piece in pieces:
        start = starts_of_characters[position + 1] - 1 if piece.raw else starts_of_characters[position]
        position += len(piece.raw)
        stop = starts_of_characters[position]
        tokens.append({"id": piece.id, "text": text[start:stop], "start": start, "stop": stop})
    return tokens


def _joined(pieces: Sequence[Piece]) -> bytes:
    return b"".join(piece.raw for piece in pieces)
