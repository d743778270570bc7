"""TGI's contract and llama.cpp meet only in `cpu_engine.engine`; another engine fits in there."""

from __future__ import annotations

import ast
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path

import pytest
from unit.cpu_engine.scripted_facade import served

import cpu_engine
from cpu_engine.engine import Engine, Message, Piece, Sampling, Token
from cpu_engine.settings import parse_arguments
from cpu_engine.tgi.inference import Inference
from cpu_engine.tgi.metrics import Metrics
from cpu_engine.tgi.service import Service

PACKAGE = Path(cpu_engine.__file__).parent
ALLOWED = {
    "tgi": {"engine", "errors", "settings"},
    "llama": {"engine", "errors"},
    ".": {"engine", "errors", "protocol", "settings"},
}
"""What each folder may import of the package besides itself; `__main__` alone puts everything together."""


def _imports(file: Path) -> set[str]:
    """Modules of the package that `file` names, as paths below it: `tgi`, `settings`, …"""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file}: a relative import, which this test does not follow"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.split(".")[1] for name in names if name.startswith("cpu_engine.")}


@pytest.mark.parametrize("folder", ALLOWED)
def test_what_a_folder_may_know(folder: str) -> None:
    files = [file for file in (PACKAGE / folder).glob("*.py") if file.name != "__main__.py"]
    assert files
    foreign = {file.name: _imports(file) - ALLOWED[folder] - {folder} for file in files}
    assert {name: found for name, found in foreign.items() if found} == {}


def test_every_folder_has_its_rule() -> None:
    assert {file.parent.name for file in PACKAGE.glob("*/*.py")} == {"tgi", "llama"}


class Parrot:
    """An engine in a few lines: it says the prompt again, a token for each character, then `.` as its end."""

    async def tokenize(self, text: str, add_special: bool) -> list[Piece]:
        return [Piece(ord(char), char.encode()) for char in text]

    template_shows_tools = False

    async def apply_template(self, messages: Sequence[Message], tools: Sequence[Mapping[str, object]]) -> str:
        return "".join(message.content for message in messages)

    async def generate(
        self, prompt: Sequence[int], sampling: Sampling, max_new_tokens: int, with_probabilities: bool
    ) -> AsyncGenerator[tuple[Token, bool], None]:
        for id_ in prompt:
            yield Token(id_, chr(id_), None, False), False
        yield Token(ord("."), ".", None, True), True

    async def healthy(self) -> bool:
        return True

    async def load(self) -> tuple[int, int] | None:
        return None


async def test_another_engine_speaks_tgis_contract() -> None:
    parrot: Engine = Parrot()
    settings = parse_arguments(["--model-id", "a/parrot"])
    limits = settings.limits(context_length=512)
    inference = Inference(parrot, limits, settings.parallel, Metrics(limits))
    async with served(Service(inference, settings)) as session:
        async with session.get("/health") as response:
            assert response.status == 200
        chat = {"messages": [{"role": "user", "content": "Polly"}]}
        async with session.post("/v1/chat/completions", json=chat) as response:
            choice = (await response.json())["choices"][0]
        asked = {"inputs": "abcdef", "parameters": {"stop": ["bc"]}}
        async with session.post("/generate", json=asked) as response:
            answer = await response.json()
    assert (choice["message"]["content"], choice["finish_reason"]) == ("Polly", "stop")
    assert answer == {"generated_text": "abc"}
