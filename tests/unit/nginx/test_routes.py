"""The table of routes: what a line lacks is refused, and nothing is said twice that could differ."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from chat_ui.admission import BODY_BYTES
from chat_ui.files import FILE_BYTES
from chat_ui.trimming import PAYLOAD_BYTES
from cpu_engine.settings import parse_arguments
from harness.routes import TABLE, largest_body, routes

NGINX = TABLE.parent
REPO = NGINX.parent
# The kinds that ask nobody who he is, each on purpose. (public_status asks for its page alone: gate.status.)
OPEN = {"public_icon", "public_health", "sign_in_page", "sign_in", "sign_out"}


def _render(table: str, folder: Path) -> subprocess.CompletedProcess[str]:
    file = folder / "routes"
    file.write_text(table)
    command = ["awk", "-v", f"folder={folder}", "-f", str(NGINX / "routes.awk"), str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_every_route_becomes_one_location(tmp_path: Path) -> None:
    done = _render(TABLE.read_text(), tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    for where in ("door", "inside"):
        made = re.findall(r"^location (\S+) (\S+) \{\n    set \$route (\w+);$", _read(tmp_path, where), re.M)
        assert made == [(r.match, r.path, r.name) for r in routes() if r.where == where]


def test_an_api_route_is_one_line(tmp_path: Path) -> None:
    """What nginx and the gate know of it comes from that line alone."""
    line = "route door = /v1/responses api_openai responses counted openai /chat_tokenize\n"
    assert _render(TABLE.read_text() + line, tmp_path).returncode == 0
    assert _read(tmp_path, "door").endswith(
        "location = /v1/responses {\n"
        "    set $route responses;\n"
        "    set $counted yes;\n"
        "    set $frames openai;\n"
        "    set $prompt_counter /chat_tokenize;\n"
        "    client_max_body_size 2m;\n"
        "    include /etc/nginx/snippets/api_openai.conf;\n"
        "}\n"
    )
    assert re.search('default ".* responses";', _read(tmp_path, "routes"))


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("route door = /x api_tgi x", "expected body SIZE"),
        ("route door = /x api_tgi x counted", "expected body SIZE"),
        ("route door = /x api_tgi x counted tgi", "expected body SIZE"),
        ("route door = /x api_tgi x free tgi /tokenize", "expected body SIZE"),
        ("route door = /x api_tgi x perhaps", "expected body SIZE"),
        ("rout door = /x api_tgi x free", "expected body SIZE"),
        ("route door = /x api_tgi x counted tgi -", "frames without a counter"),
        ("route door = /x api_tgi x counted - /tokenize", "or the other way round"),
        ("route door = /x api_tgi x counted tgi /count", "/count counts prompts, but is no route inside"),
        ("route hall = /x api_tgi x free", "expected door or inside, found hall"),
        ("route door ~ /x api_tgi x free", "expected = or ^~, found ~"),
        ("route door = /x(a|b) api_tgi x free", "expected a plain path"),
        ("route door = /x;return api_tgi x free", "expected a plain path"),
        ("route door = x api_tgi x free", "expected a plain path"),
        ("route door = /x ../api x free", "expected a kind and a name"),
        ("route door = /x api_tgi x;y free", "expected a kind and a name"),
        ("route door = /x inside_question x free", "inside_question is no kind for door"),
        ("route inside = /x api_tgi x free", "api_tgi is no kind for inside"),
        ("body 5m page", "a second size for page"),
        ("body 5m nowhere", "a size for nowhere, which no route is"),
        ("body huge nowhere", "expected a size such as 20m, found huge"),
    ],
)
def test_a_line_that_lacks_a_part_is_refused(tmp_path: Path, line: str, why: str) -> None:
    done = _render(f"{TABLE.read_text()}{line}\n", tmp_path)
    assert done.returncode == 1
    assert why in done.stderr
    assert not (tmp_path / "door.conf").exists()


def test_a_kind_is_guarded_unless_it_is_open_on_purpose() -> None:
    """And what is counted goes through the gate and the meter."""
    kinds = {route.kind for route in routes() if route.where == "door"}
    assert {kind for kind in kinds if "js_access gate." not in _snippet(kind)} == OPEN
    for kind in {route.kind for route in routes() if route.counted}:
        assert "js_access gate." in _snippet(kind), kind
        assert "js_body_filter meter.watch" in _snippet(kind), kind


def test_what_bounds_bodies_behind_nginx_fits_its_own_bound() -> None:
    """TGI refuses before nginx does, in its own words; the chat never sends what TGI refuses."""
    tgi = parse_arguments(["--model-id=x"]).payload_limit
    assert PAYLOAD_BYTES < tgi < largest_body("api_tgi") == largest_body("inside_stream")


def test_the_page_is_given_as_much_as_its_replica_takes() -> None:
    assert largest_body("page_action") == largest_body("page_question") == BODY_BYTES
    assert largest_body("page_file") == FILE_BYTES


def test_the_documentation_names_the_tables_sizes() -> None:
    text = (REPO / "docs/security.md").read_text()
    with_a_key, strangers = largest_body("api_openai") >> 20, largest_body("other") >> 10
    assert f"bodies ({with_a_key} MB with a key, {strangers} KB for strangers)" in text


def _read(folder: Path, name: str) -> str:
    return (folder / f"{name}.conf").read_text()


def _snippet(kind: str) -> str:
    """A kind's directives, with those of what it includes."""
    text = (NGINX / "snippets" / f"{kind}.conf").read_text()
    return text + "".join(
        _snippet(name) for name in re.findall(r"include /etc/nginx/snippets/(\w+)\.conf", text)
    )
