"""The models on the volume: check, list, switch, remove, carry to another machine.

Each is a command of model-init, run in its own container beside the running appliance, which goes on serving.
This module runs them and changes .env; what they do to files is services/model-init's business.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO

from appliance_cli.base.errors import ApplianceError, BadSetting, StepFailed
from appliance_cli.base.output import Output
from appliance_cli.compose import commands as compose
from appliance_cli.compose import runner
from appliance_cli.config import dotenv_file
from appliance_cli.config import values as given_values
from appliance_cli.config.appliance import Appliance
from appliance_cli.gpu import setup as gpu_setup

HEADING = "Chosen with ./scripts/appliance model use."


def run(
    appliance: Appliance,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    stdin: IO[bytes] | None = None,
    stdout: IO[bytes] | None = None,
) -> int:
    """Run a model-init command on the models volume; its words go to stderr, its data to stdout.

    Returns model-init's exit code: 0, or see services/model-init/model_init/errors.py.
    """
    terminal = stdin is None and stdout is None and sys.stdin.isatty() and sys.stdout.isatty()
    argv = compose.model_init(appliance, arguments, environment or {}, terminal=terminal)
    where = None if terminal else stdin or subprocess.DEVNULL
    return runner.hand_over(appliance, argv, stdin=where, stdout=stdout)


@contextmanager
def kept_env(appliance: Appliance) -> Iterator[None]:
    """Have .env as it was when what happens inside fails."""
    path = appliance.env_file
    before = dotenv_file.content(path) if path.exists() else None
    try:
        yield
    except ApplianceError:
        if before is None:
            path.unlink(missing_ok=True)
        else:
            dotenv_file.write(path, before)
        raise


def judge(appliance: Appliance, chosen: Mapping[str, str], output: Output) -> None:
    """Refuse a model that the GPU engine would not serve, or that does not fit, before a byte of it comes.

    Raises:
        BadSetting, HostNotReady: with the reason. On a host whose engine is the CPU's nothing is judged.
    """
    if appliance.engine != "gpu":
        return
    wanted = gpu_setup.read(given_values.read(appliance.env_file, chosen))
    gpu_setup.judge(wanted, appliance.project, output)


def use(appliance: Appliance, model_id: str, revision: str, output: Output) -> None:
    """Fetch and prove another model while the present one is served, then name it in .env.

    Raises:
        BadSetting, HostNotReady: the engine would refuse it, or it does not fit; nothing was fetched.
        StepFailed: the model could not be made ready; .env and the running appliance are as before.
    """
    chosen = {"MODEL_ID": model_id, "MODEL_REVISION": revision}
    judge(appliance, chosen, output)
    output.phase(f"Fetching and verifying {model_id} (the present model stays in use)")
    code = run(appliance, "fetch", environment=chosen)
    if code != 0:
        raise StepFailed(
            f"{model_id} could not be made ready",
            expected="model-init to fetch and verify it",
            found=f"exit code {code}, for the reason above",
            remedy="put that right and run this again; the present model is still in use",
        )
    dotenv_file.choose(appliance.env_file, chosen, HEADING)
    output.item("ok", f"{appliance.env_file.name}: MODEL_ID={model_id}")


def export(appliance: Appliance, model_id: str, target: Path) -> int:
    """Write a verified model into one file, which gets its name only when it is complete.

    Raises:
        BadSetting: the file exists already, or its folder cannot be written.
    """
    partial = target.with_name(f"{target.name}.partial")
    if target.exists():
        raise BadSetting(
            "The export's file exists already",
            expected="a new file",
            found=str(target),
            remedy="name another file, or remove this one first",
        )
    try:
        with partial.open("wb") as out:
            code = run(appliance, "export", model_id, stdout=out)
            os.fsync(out.fileno())
    except OSError as error:
        raise _unusable(partial, error) from error
    if code == 0:
        os.replace(partial, target)
    else:
        partial.unlink()
    return code


def take_in(appliance: Appliance, source: Path) -> int:
    """Read such a file (``-``: standard input), prove it and publish it.

    Raises:
        BadSetting: the file cannot be read.
    """
    try:
        opened = nullcontext(sys.stdin.buffer) if str(source) == "-" else source.open("rb")
    except OSError as error:
        raise _unusable(source, error) from error
    with opened as stream:
        return run(appliance, "import", stdin=stream)


def _unusable(path: Path, error: OSError) -> BadSetting:
    return BadSetting(
        "The file cannot be used",
        expected="a file that can be read or written here",
        found=f"{path}: {error.strerror or error}",
        remedy="name another one",
    )
