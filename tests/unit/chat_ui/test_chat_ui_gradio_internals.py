"""What is used of Gradio without being documented is in the Gradio that is installed, and in one place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, cast

import gradio as gr
import pytest
from fastapi import FastAPI
from starlette.routing import Mount

from chat_ui import gradio_internals, layout
from chat_ui.layout import STATIC

GRADIO = Path(gr.__file__).parent
ASSETS = GRADIO / "templates/frontend/assets"
VIEW = STATIC.parents[1] / "web/src"
OWN_STYLES = [STATIC / "style.css", VIEW / "view.css"]
GRADIO_STYLES = [STATIC / "gradio_internals.css", STATIC / "gradio_internals_media.css"]
GRADIO_SCRIPT = STATIC / "gradio_internals.js"
PYTHON = [file for file in STATIC.parent.glob("*.py") if file.stem != "gradio_internals"]
SCRIPTS = [file for file in STATIC.glob("*.js") if file != GRADIO_SCRIPT]


def assets(kind: str) -> str:
    """All of Gradio's own files of a kind for the browser."""
    return "\n".join(file.read_text(encoding="utf-8", errors="replace") for file in ASSETS.glob(f"*.{kind}"))


def classes(stylesheet: str) -> set[str]:
    """The classes in the selectors of a stylesheet."""
    selectors = re.sub(r"/\*.*?\*/|\{[^{}]*\}", " ", stylesheet, flags=re.DOTALL)
    return set(re.findall(r"\.([a-zA-Z][\w-]*)", selectors))


def strings(script: str) -> list[str]:
    """The texts in double quotes of a script."""
    return re.findall(r'"([^"]+)"', re.sub(r"^\s*//.*$", "", script, flags=re.MULTILINE))


@pytest.fixture(scope="module")
def gradio_classes() -> set[str]:
    return classes(assets("css")) | {"gradio-container"} & set(re.findall(r"[\w-]+", assets("js")))


def selected() -> Iterator[str]:
    """Each class of Gradio's that the stylesheet or the scripts look for."""
    for stylesheet in GRADIO_STYLES:
        yield from classes(stylesheet.read_text(encoding="utf-8"))
    for string in strings(GRADIO_SCRIPT.read_text(encoding="utf-8")):
        yield from classes(string)


@pytest.mark.parametrize("name", sorted(set(selected())))
def test_gradios_page_has_the_class(name: str, gradio_classes: set[str]) -> None:
    assert name in gradio_classes


def test_what_gradio_says_of_a_lost_server_is_what_is_translated() -> None:
    said = [string for string in strings(GRADIO_SCRIPT.read_text(encoding="utf-8")) if string[0].isupper()]
    assert "Connection to the server was lost" in said
    page = assets("js")
    assert all(string in page for string in said)


def test_a_question_and_a_cancellation_are_known_by_their_routes() -> None:
    ours = GRADIO_SCRIPT.read_text(encoding="utf-8")
    assert f'"{gradio_internals.QUESTION_ROUTE}"' in ours
    assert '"/gradio_api/cancel"' in ours


def test_an_update_is_told_by_gradios_mark() -> None:
    assert gr.update(visible=True) == {"__type__": "update", "visible": True}
    assert '__type__: "update"' in GRADIO_SCRIPT.read_text(encoding="utf-8")


@pytest.mark.parametrize("language", layout.TEXTS)
def test_gradio_has_a_locale_for_each_language(language: str) -> None:
    """In any other, the texts on Gradio's own controls stay English."""
    assert f"./lang/{language}.json" in assets("js")


def test_the_theme_has_every_variable_that_is_used() -> None:
    used = set(
        re.findall(r"var\((--[\w-]+)\)", "".join(s.read_text() for s in (*OWN_STYLES, *GRADIO_STYLES)))
    )
    given = set(re.findall(r"(--[\w-]+):", cast(Any, layout.theme())._get_theme_css()))
    assert used - given == {"--column", "--code-back", "--quiet", "--rule"}


@pytest.fixture
async def demo() -> gr.Blocks:
    # async: without a running event loop Gradio makes loops of its own and leaves them open
    made = gr.Blocks()
    with made:
        gr.Textbox(elem_id="box")
    return made


async def test_gradio_serves_the_routes(demo: gr.Blocks) -> None:
    app = gr.mount_gradio_app(FastAPI(), demo, path="/")
    (mounted,) = [cast(Any, route.app) for route in app.routes if isinstance(route, Mount)]
    routes = mounted.openapi()["paths"].keys()
    wanted = {
        "/gradio_api/cancel",
        gradio_internals.QUESTION_ROUTE,
        gradio_internals.STREAM_ROUTE,
        gradio_internals.HEARTBEAT_ROUTE,
    }
    assert wanted <= routes


async def test_the_app_and_its_queue_are_as_they_are_told_to_be(demo: gr.Blocks) -> None:
    gradio_internals.identify(demo, 42)
    gradio_internals.start_queue(demo, 7, 9)
    queue = demo._queue
    assert (demo.app_id, queue.max_thread_count, queue.max_size) == (42, 7, 9)
    assert (queue.sleep_when_free, queue.progress_update_sleep_when_free) == (0.01, 1.0)
    assert gradio_internals.sessions_being_answered(demo) == set()


async def test_an_attribute_that_gradio_has_moved_is_not_set_in_vain(
    demo: gr.Blocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(demo, "app_id")
    with pytest.raises(AttributeError, match="app_id"):
        gradio_internals.identify(demo, 42)


async def test_a_session_is_forgotten(demo: gr.Blocks) -> None:
    cast(Any, demo).state_holder.set_blocks(demo)
    demo.state_holder["abc"]
    assert "abc" in demo.state_holder.session_data
    gradio_internals.forget_session(demo, "abc")
    gradio_internals.forget_session(demo, None)
    assert not demo.state_holder.session_data


def test_gradio_still_looks_for_matplotlib() -> None:
    assert "import matplotlib" in (GRADIO / "utils.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("file", PYTHON, ids=lambda file: file.name)
def test_no_other_module_reaches_into_gradio(file: Path) -> None:
    source = file.read_text(encoding="utf-8")
    assert re.findall(r"\b(?!self\b|cls\b)\w+\._[a-z]\w*", source) == []
    assert "gradio_api" not in source


@pytest.mark.parametrize("file", SCRIPTS, ids=lambda file: file.name)
def test_no_other_script_searches_gradios_page(file: Path) -> None:
    source = file.read_text(encoding="utf-8")
    assert re.findall(r"querySelector|getElementsByClassName|__type__", source) == []


@pytest.mark.parametrize("stylesheet", OWN_STYLES, ids=lambda file: file.name)
def test_the_own_stylesheets_have_names_of_our_own_only(stylesheet: Path) -> None:
    files = chain(SCRIPTS, STATIC.glob("*.html"), VIEW.glob("*.js"))
    ours = "\n".join(file.read_text(encoding="utf-8") for file in files)
    # Gradio documents the class of its dark theme, highlight.js those of its colours
    used = {
        name
        for name in classes(stylesheet.read_text(encoding="utf-8"))
        if name != "dark" and not name.startswith("hljs-")
    }
    assert {name for name in used if not re.search(rf'["`\s.(|]{name}["\s,:|)]', ours)} == set()
