"""The shell part: a private virtual environment on first use, whole or not at all.

Runs copies of scripts/ whose lock pins nothing, so no network is needed; one must fail and pins a package.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"
UNREACHABLE_INDEX = "http://127.0.0.1:9/simple"
FirstUse = tuple[Path, subprocess.CompletedProcess[str]]


def clone(folder: Path) -> Path:
    """A clone with the real shell scripts, an empty lock, and a package that says what it was given."""
    scripts = folder / "clone with spaces" / "scripts"
    (scripts / "appliance_cli").mkdir(parents=True)
    shutil.copytree(SCRIPTS / "lib", scripts / "lib")
    shutil.copy2(SCRIPTS / "appliance", scripts / "appliance")
    (scripts / "requirements.lock").write_text("# nothing\n")
    (scripts / "appliance_cli" / "__init__.py").touch()
    (scripts / "appliance_cli" / "__main__.py").write_text(
        "import sys; print(sys.prefix, *sys.argv[1:], sep='|')\n"
    )
    return scripts.parent


def run(
    checkout: Path, *arguments: str, command: Path | None = None, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("PIP_", "PYTHON"))}
    return subprocess.run(
        [command or checkout / "scripts" / "appliance", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**clean, "PIP_CONFIG_FILE": os.devnull, **environment},
        stdin=subprocess.DEVNULL,
        check=False,
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A clone on which nothing was run yet."""
    return clone(tmp_path)


@pytest.fixture(scope="module")
def first_use(tmp_path_factory: pytest.TempPathFactory) -> FirstUse:
    """A clone after its first use, and what that said."""
    checkout = clone(tmp_path_factory.mktemp("used"))
    return checkout, run(checkout, "status", "--json", cwd=Path("/"))


def test_the_first_use_makes_the_environment_and_says_so(first_use: FirstUse) -> None:
    checkout, first = first_use
    assert first.returncode == 0, first.stderr
    assert first.stderr == "Preparing the appliance's own tools (first use) …\n"
    assert first.stdout == f"{checkout / '.venv' / 'cli'}|status|--json\n"


def test_the_second_use_is_silent(first_use: FirstUse) -> None:
    second = run(first_use[0], "up", cwd=Path("/"))
    assert (second.returncode, second.stderr) == (0, "")


def test_it_can_be_called_through_a_link_and_from_a_folder_with_misleading_modules(
    first_use: FirstUse, tmp_path: Path
) -> None:
    link = tmp_path / "appliance"
    link.symlink_to(first_use[0] / "scripts" / "appliance")
    (tmp_path / "appliance_cli.py").write_text("raise SystemExit('the wrong module')\n")
    done = run(first_use[0], "x", command=link, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("|x\n")


def test_a_changed_lock_rebuilds_and_an_unchanged_one_does_not(first_use: FirstUse) -> None:
    checkout = first_use[0]
    marker = checkout / ".venv" / "cli" / "marker"
    marker.touch()
    run(checkout)
    assert marker.exists()
    (checkout / "scripts" / "requirements.lock").write_text("# something else\n")
    assert run(checkout).returncode == 0
    assert not marker.exists()


def another_version(python: Path) -> None:
    """A distribution upgrade: the same path runs another Python, which looks elsewhere for the packages."""
    python.unlink()
    python.write_text(
        "#!/bin/sh\n"
        'case "$*" in *cache_tag*) echo cpython-307 ;; *) echo "No module named typer" >&2; exit 1 ;; esac\n'
    )
    python.chmod(0o755)


def gone(python: Path) -> None:
    """An upgrade that removed the Python which the environment links to."""
    python.unlink()
    python.symlink_to("/nonexistent/python3.11")


def cannot_run(python: Path) -> None:
    """A Python whose libraries are no longer there."""
    python.unlink()
    python.write_text("#!/bin/sh\necho 'error while loading shared libraries' >&2\nexit 127\n")
    python.chmod(0o755)


@pytest.mark.parametrize("upgrade", [another_version, gone, cannot_run])
def test_it_is_made_anew_when_its_python_changed(
    first_use: FirstUse, upgrade: Callable[[Path], None]
) -> None:
    checkout = first_use[0]
    upgrade(checkout / ".venv" / "cli" / "bin" / "python")
    done = run(checkout, "works")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("|works\n")
    assert done.stderr == "Preparing the appliance's own tools (what they need has changed) …\n"
    assert run(checkout, "works").stderr == ""


def test_an_interrupted_preparation_is_started_over(checkout: Path) -> None:
    half_new, half_old = checkout / ".venv" / "cli.new" / "bin", checkout / ".venv" / "cli" / "bin"
    half_new.mkdir(parents=True)
    half_old.mkdir(parents=True)
    (half_old / "python").symlink_to("/nonexistent/python")
    done = run(checkout, "works")
    assert done.stdout.endswith("|works\n"), done.stderr
    assert not (checkout / ".venv" / "cli.new").exists()


def test_two_first_uses_at_once_both_work(checkout: Path) -> None:
    command = [str(checkout / "scripts" / "appliance"), "both"]
    children = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)
    ]
    results = [(*child.communicate(), child.returncode) for child in children]
    assert [code for _, _, code in results] == [0, 0, 0], results
    assert all(out.endswith("|both\n") for out, _, _ in results)


def test_an_unreachable_index_is_one_clear_message_and_leaves_nothing_half_made(checkout: Path) -> None:
    lock = checkout / "scripts" / "requirements.lock"
    lock.write_text(f"typer==0.29.2 --hash=sha256:{'0' * 64}\n")
    done = run(checkout, PIP_INDEX_URL=UNREACHABLE_INDEX, PIP_RETRIES="0")
    assert done.returncode == 4
    assert done.stdout == ""
    assert "✗ The appliance's own tools cannot be prepared" in done.stderr
    assert f"expected  pip to install what {lock} pins" in done.stderr
    assert "PIP_INDEX_URL for a mirror, PIP_CERT" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (checkout / ".venv" / "cli").exists()


def test_without_a_new_enough_python_it_says_what_to_install(checkout: Path, tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "dirname", "readlink", "cat", "cksum"):
        (tools / name).symlink_to(str(shutil.which(name)))
    (tools / "id").write_text("#!/bin/sh\necho 1000\n")
    (tools / "python3").write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.2 && exit 0\nexit 1\n')
    for name in ("id", "python3"):
        (tools / name).chmod(0o755)
    (checkout / "scripts" / "lib" / "venv.sh").write_text(
        (SCRIPTS / "lib" / "venv.sh").read_text().replace(" /usr/bin/python3", "")
    )
    done = run(checkout, PATH=str(tools))
    assert done.returncode == 3
    assert "expected  Python 3.11 or newer with its venv module" in done.stderr
    assert "found     Python 3.9.2" in done.stderr
    assert "apt-get install python3 python3-venv" in done.stderr


def carried(checkout: Path, folder: Path) -> None:
    """Has the clone's lock pin a package that only the wheels of a carried folder have."""
    wheel = folder / "wheels" / "carried-1.0-py3-none-any.whl"
    wheel.parent.mkdir(parents=True)
    with zipfile.ZipFile(wheel, "w") as archive:
        about = {"METADATA": "Metadata-Version: 2.1\nName: carried\nVersion: 1.0\n", "RECORD": ""}
        about["WHEEL"] = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        for name, text in about.items():
            archive.writestr(f"carried-1.0.dist-info/{name}", text)
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (checkout / "scripts/requirements.lock").write_text(f"carried==1.0 --hash=sha256:{digest}\n")


@pytest.mark.parametrize(
    "arguments", [["images", "load", "FOLDER"], ["--yes", "images", "load", "--yes", "FOLDER"]]
)
def test_a_carried_folder_takes_the_package_indexs_place(
    arguments: list[str], checkout: Path, tmp_path: Path
) -> None:
    carried(checkout, tmp_path / "set")
    named = [word.replace("FOLDER", "set") for word in arguments]
    done = run(checkout, *named, cwd=tmp_path, PIP_INDEX_URL=UNREACHABLE_INDEX)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("|".join(named))


def test_a_carried_folder_that_pip_could_not_name_is_refused(checkout: Path, tmp_path: Path) -> None:
    carried(checkout, tmp_path / "my set")
    refused = run(checkout, "images", "load", "my set", cwd=tmp_path)
    assert refused.returncode == 2
    assert "a folder without spaces in its path" in refused.stderr
