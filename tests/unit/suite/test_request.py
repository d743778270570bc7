"""What ./scripts/test understands, which pytests follow, and what their exit statuses mean together."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from suite import checks, runs
from suite.request import BadRequest, Request, understand

ROOT = Path(__file__).resolve().parents[3]
GROUPS = ("tests/unit", "tests/stack", "tests/browser")
HERE = "tests/unit/suite/test_request.py"


@pytest.mark.parametrize(
    ("words", "request_"),
    [
        ("", Request("", GROUPS, (), everything=True)),
        ("--long", Request("", GROUPS, ("--long",), everything=True)),
        ("-x -k stack", Request("", GROUPS, ("-x", "-k", "stack"), everything=True)),
        ("checks", Request("", (), ())),
        ("checks -k mypy", Request("mypy", (), ())),
        ("checks unit -x", Request("", ("tests/unit",), ("-x",))),
        ("unit -k name", Request(None, ("tests/unit",), ("-k", "name"))),
        ("stack browser", Request(None, ("tests/stack", "tests/browser"), ())),
        (f"{HERE}::test_x -q", Request(None, (f"{HERE}::test_x",), ("-q",))),
        (
            "tests/unit/ --ignore=tests/unit/nginx",
            Request(None, ("tests/unit",), ("--ignore=tests/unit/nginx",)),
        ),
    ],
)
def test_words_come_first_and_the_rest_is_pytests(words: str, request_: Request) -> None:
    assert understand(words.split()) == request_


@pytest.mark.parametrize(
    "words", ["banana", "tests/unit/gone.py", "unit banana", "checks -x", "-x tests/unit", "scripts"]
)
def test_what_means_nothing_is_one_clear_error_before_anything_is_prepared(words: str) -> None:
    with pytest.raises(BadRequest):
        understand(words.split())
    done = subprocess.run(
        [ROOT / "scripts/test", *words.split()], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    first, *labels = done.stderr.splitlines()
    assert first == "✗ ./scripts/test does not know what to run"
    assert [line.split()[0] for line in labels] == ["expected", "found", "do"]


def test_a_check_that_does_not_exist_is_refused_with_those_that_do() -> None:
    assert [check.name for check in checks.named("uff")] == ["ruff"]
    with pytest.raises(BadRequest, match="ruff, format, mypy"):
        checks.named("banana")


def test_the_list_has_every_check_and_every_file_with_what_it_is_about() -> None:
    done = subprocess.run([ROOT / "scripts/test", "--list"], capture_output=True, text=True, check=True)
    listed = {
        line.split()[0]: line.split(maxsplit=1)[1:] for line in done.stdout.splitlines() if line[:1] == " "
    }
    files = {str(path.relative_to(ROOT)) for path in (ROOT / "tests").rglob("test_*.py")}
    assert listed.keys() == {check.name for check in checks.CHECKS} | files
    assert all(listed.values()), "a file without a docstring"


def ends(paths: list[str], *options: str) -> list[tuple[str, tuple[str, ...]]]:
    """Where each pytest runs, and what it is given."""
    needed = runs.needed(paths, options)
    return [(run.where, run.command[run.command.index("pytest") + 1 :]) for run in needed]


IMAGE, HOST = "on the images' Python", "on this host's Python"
NO_CACHE = ("-p", "no:cacheprovider")
ELSEWHERE = tuple(f"--ignore={folder}" for folder in runs.IN_IMAGE)


def test_what_runs_in_the_images_is_tested_on_their_python() -> None:
    file = "tests/unit/chat_ui/test_chat_ui_app.py::test_x"
    assert ends([file], "-x") == [(IMAGE, (*NO_CACHE, file, "-x"))]
    assert ends(["tests/stack"]) == [(HOST, ("tests/stack", *ELSEWHERE))]
    assert ends(["tests/unit"], "-k", "a") == [
        (IMAGE, (*NO_CACHE, *runs.IN_IMAGE, "-k", "a")),
        (HOST, ("tests/unit", *ELSEWHERE, "-k", "a")),
    ]
    assert all((ROOT / folder).is_dir() for folder in runs.IN_IMAGE)


@pytest.mark.parametrize(
    ("codes", "options", "verdict"),
    [
        ([0, 0], (), 0),
        ([0, 1], (), 1),
        ([2, 0], ("-x",), 2),
        ([5, 0], ("-k", "name"), 0),
        ([5, 1], ("-k", "name"), 1),
        ([5, 5], ("-k", "name"), 5),
        ([5, 0], (), 5),
    ],
)
def test_one_verdict_of_several_pytests(codes: list[int], options: tuple[str, ...], verdict: int) -> None:
    assert runs.verdict(codes, options) == verdict


def test_all_checks_run_and_those_that_failed_are_named(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    made = [
        checks.Check("good", "nothing", lambda: ["sh", "-c", "echo unseen"]),
        checks.Check("bad", "a fault", lambda: ["sh", "-c", "echo it is here; exit 3"]),
        checks.Check("missing", "no program", lambda: ["/nonexistent/linter"]),
        checks.Check("counting", "tests", lambda: ["echo", "2 passed"], counts=True),
    ]
    assert checks.run(made) == ["bad", "missing"]
    shown = capfdbinary.readouterr().out.decode()
    assert "unseen" not in shown
    assert "it is here" in shown
    assert "it cannot run: [Errno 2]" in shown
    assert "2 passed" in shown


def test_every_shell_file_is_read_whatever_its_name() -> None:
    found = checks.shell_files()
    assert {"scripts/test", "scripts/appliance", "scripts/lib/venv.sh", "nginx/start", ".ci/run"} <= set(
        found
    )
    assert not any(name.endswith((".py", ".awk")) for name in found)


@pytest.mark.parametrize("program", ["true", "false"])
def test_what_a_run_leaves_behind_is_taken_away_however_it_ended(program: str, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    with (tmp_path / "output").open("wb") as output:
        codes = runs.run([runs.Run("somewhere", (program,), after=("touch", str(gone)))], output)
    assert codes == [int(program == "false")]
    assert gone.exists()


def test_nothing_runs_where_what_it_needs_cannot_be_made(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    failing = runs.Run("somewhere", ("touch", str(ran)), before=("sh", "-c", "echo no image; exit 3"))
    with (tmp_path / "output").open("wb") as output:
        assert runs.run([failing], output) == [3]
    assert "no image" in (tmp_path / "output").read_text()
    assert not ran.exists()
