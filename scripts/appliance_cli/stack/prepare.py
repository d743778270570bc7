"""From a bare host to one on which the appliance can start: look, install, make base images, write .env.

Used by ``up`` and, alone, by ``prepare``. Starts no container. Every phase is skipped when its result is
there.
"""

import os
import shutil
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from appliance_cli.base.errors import HostNotReady, StepFailed
from appliance_cli.base.output import Output, size
from appliance_cli.compose.client import docker_client, has_image
from appliance_cli.config import first_env, unknown_names
from appliance_cli.config import values as given_values
from appliance_cli.config.appliance import COMPOSE_FILES, ENGINES, Appliance, Engine, load
from appliance_cli.config.table import SETTINGS
from appliance_cli.config.values import Values
from appliance_cli.door import guard
from appliance_cli.gpu import setup as gpu_setup
from appliance_cli.host import (
    base_images,
    card_in_container,
    checks,
    dockerd,
    facts,
    install,
    model_here,
    proxy,
    toolkit,
)
from appliance_cli.host.finding import Finding

CPU_MODEL_BYTES = 98_362_432  # of compose.cpu.yml's default model


@dataclass(frozen=True)
class Request:
    """What the operator asked for. ``engine`` is auto, gpu or cpu; a None leaves what .env says.

    ``starting``: the containers will be started next, so their port must be free. ``agreed``: that an
    appliance of this name runs from another folder is known, and it shall be taken over.
    """

    appliance: Appliance
    engine: str = "auto"
    replicas: int | None = None
    port: int | None = None
    starting: bool = True
    agreed: bool = False

    def chosen(self) -> dict[str, str]:
        """The options as .env keys. A COMPOSE_FILE that runs the wanted engine already stays as it is."""
        values = {"UI_REPLICAS": self.replicas, "HTTP_PORT": self.port}
        chosen = {key: str(value) for key, value in values.items() if value is not None}
        configured = self.with_(chosen).engine
        if self.engine in ("gpu", "cpu") and self.engine != configured:
            chosen["COMPOSE_FILE"] = COMPOSE_FILES["gpu" if self.engine == "gpu" else "cpu"]
        return chosen

    def with_(self, chosen: Mapping[str, str]) -> Appliance:
        """The appliance as its .env describes it now, with ``chosen`` over it."""
        return load(self.appliance.root, self.appliance.env_file, chosen)


def prepare(request: Request, output: Output) -> Appliance:
    """Make the host ready and .env complete; return the appliance to start with.

    Raises BadSetting or HostNotReady before any change when it cannot work here.
    """
    chosen = request.chosen()
    wanted = request.with_(chosen)
    guard.mend(wanted, output)
    guard.require_safe(wanted, datetime.now(UTC))
    values = given_values.read(wanted.env_file, chosen)
    if request.starting:
        proxy.require_usable(values)
    strangers = unknown_names.find(wanted.root, wanted.env_file)
    unknown_names.require_none_misspelt(strangers, wanted.env_file.name)
    output.phase("Looking at this host (no impact yet)")
    for unknown in strangers:
        output.item("warn", unknown.said(wanted.env_file.name))
    judged = judge_host(wanted, request.engine, starting=request.starting, values=values)
    found, engine, on_gpu, findings = judged.host, judged.engine, judged.on_gpu, judged.findings
    if not request.agreed:
        _require_own_folder(found, wanted, output)
    _tell(findings, output)
    checks.require_no_failure(findings)
    output.item("ok", f"Engine: {ENGINES[engine]}")
    setup = None if on_gpu is None else gpu_setup.judge(on_gpu, wanted.project, output)
    _supply(judged, wanted, output)
    output.phase("Base images")
    bases = _base_images(wanted, checks.may_install(found), output)
    output.phase("Settings")
    if setup is not None:
        chosen |= gpu_setup.settle(setup, wanted, chosen.get("COMPOSE_FILE"))
    if not found.project.has_model_volume:
        chosen |= _model_found_here(wanted, engine, output)
    first_env.save(wanted, engine, bases, chosen, output)
    complete = request.with_(chosen)
    guard.make_ready(complete, datetime.now(UTC), output)
    if engine == "gpu":
        _require_card(complete, output)
    return complete


def _require_own_folder(found: facts.Host, wanted: Appliance, output: Output) -> None:
    """Ask before an appliance that was started from another folder is taken over, with this one's keys."""
    folder = found.project.elsewhere
    if not folder or output.assume_yes:
        return
    question = (
        f"{wanted.project} runs from {folder}. Take it over, with the keys and settings of {wanted.root}?"
    )
    if output.can_ask and output.asks_no(question):
        return
    remedies = (
        f"work there: cd {folder}",
        f"or a second one beside it: COMPOSE_PROJECT_NAME=another-name, HTTP_PORT=N in {wanted.env_file}",
        "or take it over: --yes (to keep keys and users, copy .env and nginx/access from there first)",
    )
    raise HostNotReady(
        f"{wanted.project} runs from another folder; nothing was changed",
        expected=f"one that was started from {wanted.root}, or none",
        found=f"{folder}, where its keys, users and .env are",
        remedy="\n".join(remedies),
    )


@dataclass(frozen=True)
class Judged:
    """A host, the engine for it, what .env asks of a card, if any, and what stands in the way."""

    host: facts.Host
    engine: Engine
    on_gpu: gpu_setup.Wanted | None
    findings: list[Finding]


def judge_host(
    wanted: Appliance, engine: str = "auto", *, starting: bool = True, values: Values | None = None
) -> Judged:
    """What `up` and `doctor` look at first. Nothing changes."""
    settings = values or given_values.read(wanted.env_file)
    found = facts.look(wanted)
    chosen = checks.choose_engine(found, engine, wanted.engine)
    on_gpu = gpu_setup.read(settings) if chosen == "gpu" else None
    model = _model_on_cpu(settings) if on_gpu is None else _model_on_gpu(on_gpu)
    return Judged(found, chosen, on_gpu, checks.examine(found, chosen, wanted, model, starting=starting))


def _require_card(complete: Appliance, output: Output) -> None:
    """Raise StepFailed when a container cannot have the card: before 27 GB are fetched for it, not after."""
    with output.step("Giving the card to a small container") as step:
        finding = card_in_container.judge(card_in_container.try_it(complete.python_base, complete.gpu_device))
        if finding.level != "ok":
            raise StepFailed(
                "Docker cannot give the card to a container",
                expected=finding.expected,
                found=finding.found,
                remedy=f"{finding.remedy}\nor try it without the GPU: ./scripts/appliance up --engine cpu",
            )
        step.title = f"The card, {finding.found}"


def _model_found_here(wanted: Appliance, engine: Engine, output: Output) -> dict[str, str]:
    """What .env needs so that the model's files on this host are used; told to the operator."""
    here = model_here.look(given_values.read(wanted.env_file), engine, model_here.home_of_caller())
    if here is None:
        return {}
    text = f"{size(here.size_bytes)} found in {here.folder}"
    if here.closed:
        output.item("warn", f"{text}, but {here.closed} is closed to the containers")
        output.say(f"      to use them: chmod -R a+rX '{here.folder}', then run this again")
        return {}
    output.item("ok", f"{text}, will be verified and used")
    return {"MODEL_FOLDER": str(here.folder)}


def _model_on_gpu(wanted: gpu_setup.Wanted) -> checks.Model:
    return checks.Model(wanted.settings.model_id, wanted.disk_bytes)


def _model_on_cpu(values: Values) -> checks.Model:
    own = SETTINGS["MODEL_ID"].on_cpu
    name = values.given("MODEL_ID") or own
    return checks.Model(name, CPU_MODEL_BYTES if name == own else None)


def _tell(findings: list[Finding], output: Output) -> None:
    for finding in findings:
        output.item(finding.level, finding.found)
        if finding.level != "ok":
            expected = f"expected {finding.expected}; " if finding.expected else ""
            output.say(textwrap.indent(f"{expected}{finding.remedy}", " " * 6))


def _supply(judged: Judged, wanted: Appliance, output: Output) -> None:
    steps, log = checks.steps(judged.host, judged.engine), wanted.logs / "install.log"
    if not steps:
        return
    output.phase("Installing what is missing")
    names = {
        "install-docker": "install Docker Engine (Debian's packages)",
        "install-toolkit": "install NVIDIA's container toolkit and restart Docker, with what runs in it",
        "start-docker": "start the Docker engine",
        "install-compose": "install the Docker Compose plugin",
    }
    what = ", ".join(names[step] for step in steps)
    # why: others' containers may run in a Docker that was there before, and nobody was asked about them
    unasked = "install-toolkit" in steps and not (output.assume_yes or output.can_ask)
    if unasked or not output.allow(f"May I {what}?"):
        raise HostNotReady(
            "Nothing was changed",
            expected=f"consent to {what}",
            found="nobody to ask" if unasked else "no",
            remedy="run it again with --yes, or install it yourself",
        )
    if "install-docker" in steps:
        install.apt_install(install.docker_packages(), output, log)
        if shutil.which("docker") is None:
            install.apt_install(["docker-cli"], output, log)  # why: Debian 13 and later split the command off
    if "install-toolkit" in steps:
        toolkit.install(judged.host.nvidia.toolkit_source, output, log)
        dockerd.restart_if_running(output)
    if "start-docker" in steps:
        dockerd.ensure_running(output)
    if "install-compose" in steps:
        install.install_compose(output, log)


def _base_images(wanted: Appliance, may_install: bool, output: Output) -> dict[str, str]:
    """Have both base images in Docker. Returns those .env keys whose default could not be had."""
    client = docker_client(timeout=45)  # also how long a registry may stay silent
    bases: dict[str, str] = {}
    refusal: str | None = None
    for recipe, image in zip(base_images.RECIPES, (wanted.python_base, wanted.nginx_base), strict=True):
        if image in recipe.former:
            image = bases[recipe.key] = recipe.made
        if has_image(client, image):
            output.item("ok", image)
            continue
        stand_in = image in (recipe.upstream, recipe.made)
        if stand_in and has_image(client, recipe.made):
            output.item("ok", f"{recipe.made}, made earlier")
        else:
            if image != recipe.made and refusal is None:
                refusal = base_images.pull(client, image, output)
                if refusal is None:
                    continue
                output.item("warn", f"{image} cannot be pulled", refusal)
            _make(recipe, stand_in, f"{image}: {refusal or 'it is gone'}", wanted, may_install, output)
        bases[recipe.key] = recipe.made
    return bases


def _make(
    recipe: base_images.Recipe,
    stand_in: bool,
    found: str,
    wanted: Appliance,
    may_install: bool,
    output: Output,
) -> None:
    log = wanted.logs / "base-images.log"
    able = os.geteuid() == 0 and (shutil.which("debootstrap") is not None or may_install)
    if not (stand_in and able):
        raise StepFailed(
            "A base image is missing and cannot be made here",
            expected="a container registry that answers, or root on Debian or Ubuntu to make the image",
            found=found,
            remedy=f"give Docker a registry (network, proxy, mirror), or set {recipe.key} to an image it has",
        )
    if shutil.which("debootstrap") is None:
        install.apt_install(["debootstrap", "debian-archive-keyring"], output, log)
    base_images.make(recipe, wanted.debian_mirror or base_images.host_mirror(), output, log)
