"""Facts about a host → the engine, and each problem's words and remedy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from appliance_cli.base.errors import HostNotReady
from appliance_cli.config.appliance import Appliance, Engine, load
from appliance_cli.host import checks
from appliance_cli.host.facts import Gpu, Host, Nvidia, parse_gpus
from appliance_cli.host.finding import Finding, version_tuple

NO_TOOLKIT = "no NVIDIA Container Toolkit"


def spoil(host: Host, part: str, **changes: object) -> Host:
    return replace(host, **{part: replace(getattr(host, part), **changes)})


MODELS: dict[Engine, checks.Model] = {
    "gpu": checks.Model("Qwen/Qwen2.5-7B-Instruct", 15_231_000_000),
    "cpu": checks.Model("HuggingFaceTB/SmolLM2-135M-Instruct", 98_000_000),
}


def findings(
    host: Host, engine: Engine, appliance: Appliance, model: checks.Model | None = None
) -> list[Finding]:
    return checks.examine(host, engine, appliance, model or MODELS[engine], starting=True)


@pytest.mark.parametrize("engine", ["cpu", "gpu"])
def test_a_good_host_has_nothing_to_say(
    engine: Engine, cpu_host: Host, gpu_host: Host, appliance: Appliance
) -> None:
    host = gpu_host if engine == "gpu" else cpu_host
    found = findings(host, engine, appliance)
    assert {finding.level for finding in found} == {"ok"}
    assert checks.steps(host, engine) == []
    checks.require_no_failure(found)


@pytest.mark.parametrize(
    ("requested", "configured", "cards", "expected"),
    [
        ("auto", None, 0, "cpu"),
        ("auto", None, 1, "gpu"),
        ("auto", "cpu", 1, "cpu"),
        ("auto", "gpu", 0, "gpu"),
        ("cpu", "gpu", 1, "cpu"),
        ("gpu", "cpu", 0, "gpu"),
    ],
)
def test_the_engine_is_what_was_asked_then_configured_then_found(
    requested: str, configured: Engine | None, cards: int, expected: Engine, cpu_host: Host
) -> None:
    host = spoil(cpu_host, "nvidia", cards=cards)
    assert checks.choose_engine(host, requested, configured) == expected


def test_a_card_that_only_nvidia_smi_sees_counts(cpu_host: Host) -> None:
    host = spoil(cpu_host, "nvidia", gpus=(Gpu("0", "GPU-1", "RTX", 24564),))
    assert checks.choose_engine(host, "auto", None) == "gpu"


def test_a_card_without_driver_stops_with_a_way_on_instead_of_taking_the_cpu(
    cpu_host: Host, appliance: Appliance
) -> None:
    host = spoil(cpu_host, "nvidia", cards=1)
    engine = checks.choose_engine(host, "auto", None)
    with pytest.raises(HostNotReady) as failure:
        checks.require_no_failure(findings(host, engine, appliance))
    assert "no working driver (nvidia-smi: not installed)" in failure.value.found
    assert "install NVIDIA's driver" in failure.value.remedy
    assert "--engine cpu" in failure.value.remedy


PROBLEMS = [
    ("system", {"kernel": "Darwin"}, "Darwin", "Linux host"),
    ("docker", {"version": "19.03.1"}, "Docker Engine 19.03.1", "upgrade"),
    ("docker", {"client": False}, "no docker command", "install the docker command"),
    (
        "docker",
        {"error": "permission denied on Docker's socket"},
        "permission denied",
        "docker group|usermod",
    ),
    ("docker", {"free_bytes": 2_000_000_000}, "2.0 GB free in /var/lib/docker", "docker system prune"),
    ("system", {"memory_bytes": 1_500_000_000}, "1.5 GB memory", "4.0 GB or more of memory"),
    (
        "project",
        {"port_owner": "another program"},
        "port 8080 on 127.0.0.1 is used by another program",
        "--port N",
    ),
    ("project", {"port_owner": "the container web"}, "used by the container web", "--port N"),
]


@pytest.mark.parametrize(("part", "changes", "found", "remedy"), PROBLEMS)
def test_each_problem_stops_with_its_remedy(
    part: str, changes: dict[str, object], found: str, remedy: str, cpu_host: Host, appliance: Appliance
) -> None:
    with pytest.raises(HostNotReady) as failure:
        checks.require_no_failure(findings(spoil(cpu_host, part, **changes), "cpu", appliance))
    assert found in failure.value.found
    assert any(word in failure.value.remedy for word in remedy.split("|"))
    assert failure.value.expected


GPU_PROBLEMS = [
    ("docker", {"free_bytes": 20_000_000_000}, "20.0 GB free", "larger disk"),
    ("system", {"memory_bytes": 4_000_000_000}, "4.0 GB memory", "16.0 GB or more"),
    ("system", {"machine": "aarch64"}, "a aarch64 host", "--engine cpu"),
    ("nvidia", {"driver": "535.183"}, "NVIDIA driver 535.183", "upgrade the driver"),
    ("nvidia", {"cards": 0, "gpus": ()}, "no NVIDIA card", "--engine cpu"),
]


@pytest.mark.parametrize(("part", "changes", "found", "remedy"), GPU_PROBLEMS)
def test_each_gpu_problem_stops_with_its_remedy(
    part: str, changes: dict[str, object], found: str, remedy: str, gpu_host: Host, appliance: Appliance
) -> None:
    with pytest.raises(HostNotReady) as failure:
        checks.require_no_failure(findings(spoil(gpu_host, part, **changes), "gpu", appliance))
    assert found in failure.value.found
    assert remedy in failure.value.remedy


def without_toolkit(host: Host, source: str = "") -> Host:
    return spoil(spoil(host, "docker", nvidia=False), "nvidia", toolkit=False, toolkit_source=source)


@pytest.mark.parametrize(
    ("root", "why"), [(True, "nvidia.github.io/libnvidia-container does not answer"), (False, "with sudo")]
)
def test_a_missing_toolkit_that_cannot_be_had_stops_and_names_the_commands(
    root: bool, why: str, gpu_host: Host, appliance: Appliance
) -> None:
    host = spoil(without_toolkit(gpu_host), "system", root=root)
    with pytest.raises(HostNotReady, match="nothing was changed") as failure:
        checks.require_no_failure(findings(host, "gpu", appliance))
    assert failure.value.found == NO_TOOLKIT
    assert why in failure.value.remedy
    assert "install -y nvidia-container-toolkit\nsudo nvidia-ctk runtime configure" in failure.value.remedy
    assert "install-toolkit" not in checks.steps(host, "gpu")


def test_a_missing_toolkit_is_installed_before_docker_starts(gpu_host: Host, appliance: Appliance) -> None:
    host = without_toolkit(gpu_host, "https://toolkit.example.org")
    (todo,) = [finding for finding in findings(host, "gpu", appliance) if finding.level == "todo"]
    assert (todo.found, todo.remedy) == (
        NO_TOOLKIT,
        "it will be installed (from https://toolkit.example.org)",
    )
    assert checks.steps(host, "gpu") == ["install-toolkit"]
    assert checks.steps(host, "cpu") == []
    bare = spoil(host, "docker", **BARE)
    assert checks.steps(bare, "gpu") == [
        "install-docker",
        "install-toolkit",
        "start-docker",
        "install-compose",
    ]


@pytest.mark.parametrize(
    ("part", "changes"),
    [
        ("system", {"root": False}),
        ("system", {"family": ("fedora",), "has_apt": False}),
        ("around", {"desktop": True}),
        ("nvidia", {"driver": None}),
        ("nvidia", {"toolkit": True}),
        ("docker", {"nvidia": True}),
    ],
)
def test_only_what_is_missing_and_may_be_installed_is(
    part: str, changes: dict[str, object], gpu_host: Host, appliance: Appliance
) -> None:
    host = spoil(without_toolkit(gpu_host, "somewhere"), part, **changes)
    assert checks.steps(host, "gpu") == []
    assert all(finding.level != "todo" for finding in findings(host, "gpu", appliance))


def test_a_toolkit_that_docker_does_not_list_is_a_warning(gpu_host: Host, appliance: Appliance) -> None:
    found = findings(spoil(gpu_host, "docker", nvidia=False), "gpu", appliance)
    (warning,) = [finding for finding in found if finding.level == "warn"]
    assert "not yet known to Docker" in warning.found


def test_a_gpu_device_that_does_not_exist_lists_those_that_do(gpu_host: Host, tmp_path: Path) -> None:
    appliance = load(tmp_path, tmp_path / ".env", {"GPU_DEVICE": "3"})
    with pytest.raises(HostNotReady) as failure:
        checks.require_no_failure(findings(gpu_host, "gpu", appliance))
    assert (failure.value.found, failure.value.expected) == ("GPU_DEVICE=3", "one of 0 (GPU-4a)")


def test_a_gpu_device_may_be_named_by_its_uuid(gpu_host: Host, tmp_path: Path) -> None:
    appliance = load(tmp_path, tmp_path / ".env", {"GPU_DEVICE": "GPU-4a"})
    assert {finding.level for finding in findings(gpu_host, "gpu", appliance)} == {"ok"}


def test_every_problem_is_told_at_once(cpu_host: Host, appliance: Appliance) -> None:
    host = spoil(spoil(cpu_host, "docker", free_bytes=1), "project", port_owner="another program")
    with pytest.raises(HostNotReady) as failure:
        checks.require_no_failure(findings(host, "cpu", appliance))
    assert "docker system prune" in failure.value.remedy
    assert "--port N" in failure.value.remedy


def test_the_port_does_not_matter_when_nothing_is_started(cpu_host: Host, appliance: Appliance) -> None:
    host = spoil(cpu_host, "project", port_owner="another program")
    found = checks.examine(host, "cpu", appliance, MODELS["cpu"], starting=False)
    assert {finding.level for finding in found} == {"ok"}


def test_a_full_disk_with_the_model_already_there_only_warns(cpu_host: Host, appliance: Appliance) -> None:
    host = spoil(spoil(cpu_host, "docker", free_bytes=1_000_000), "project", has_model_volume=True)
    assert {"ok", "warn"} == {finding.level for finding in findings(host, "cpu", appliance)}


def test_the_disk_must_hold_the_model_that_was_chosen(gpu_host: Host, appliance: Appliance) -> None:
    def level(free: int, model: checks.Model) -> str:
        found = findings(spoil(gpu_host, "docker", free_bytes=free), "gpu", appliance, model)
        return next(finding.level for finding in found if "free in" in finding.found)

    small, large = checks.Model("small", 5_600_000_000), checks.Model("large", 145_000_000_000)
    assert (level(21_000_000_000, small), level(20_000_000_000, small)) == ("ok", "fail")
    assert (level(160_000_000_000, large), level(150_000_000_000, large)) == ("ok", "fail")


def test_with_the_engines_image_there_only_the_model_counts(gpu_host: Host, appliance: Appliance) -> None:
    host = spoil(spoil(gpu_host, "docker", free_bytes=16_000_000_000), "project", has_engine_image=True)
    assert {finding.level for finding in findings(host, "gpu", appliance)} == {"ok"}


@pytest.mark.parametrize(("engine", "assumed"), [("gpu", "15.3 GB"), ("cpu", "100.0 MB")])
def test_a_size_that_nobody_knows_is_assumed_and_that_is_said(
    engine: Engine, assumed: str, cpu_host: Host, gpu_host: Host, appliance: Appliance
) -> None:
    host = gpu_host if engine == "gpu" else cpu_host
    found = findings(host, engine, appliance, checks.Model("someone/else", None))
    (told,) = [finding.found for finding in found if "free in" in finding.found]
    assert f"how large someone/else is, nobody knows before its download: {assumed} assumed" in told
    scarce = spoil(host, "docker", free_bytes=2_999_999_999)
    failed = [f for f in findings(scarce, engine, appliance, checks.Model("x/y", None)) if f.level == "fail"]
    assert "for the images and x/y" in failed[0].expected


BARE = {"client": False, "daemon": False, "error": "nothing listens", "version": "", "compose": None}


def test_a_bare_debian_gets_everything_installed(cpu_host: Host, appliance: Appliance) -> None:
    host = spoil(cpu_host, "docker", **BARE)
    assert checks.steps(host, "cpu") == ["install-docker", "start-docker", "install-compose"]
    todo = [finding.found for finding in findings(host, "cpu", appliance) if finding.level == "todo"]
    assert todo == ["no Docker Engine", "no Docker Compose plugin"]


@pytest.mark.parametrize(
    ("changes", "remedy"),
    [
        ({"root": False}, "run this with sudo"),
        ({"has_apt": False, "family": ("fedora",)}, "https://docs.docker.com/engine/install/"),
    ],
)
def test_where_nothing_may_be_installed_the_remedy_says_how(
    changes: dict[str, object], remedy: str, cpu_host: Host, appliance: Appliance
) -> None:
    host = spoil(spoil(cpu_host, "docker", **BARE), "system", **changes)
    with pytest.raises(HostNotReady) as failure:
        checks.require_no_failure(findings(host, "cpu", appliance))
    assert remedy in failure.value.remedy


def test_a_stopped_engine_is_started_by_root_only(cpu_host: Host, appliance: Appliance) -> None:
    stopped = spoil(cpu_host, "docker", error="nothing listens on Docker's socket")
    assert checks.steps(stopped, "cpu") == ["start-docker"]
    assert findings(stopped, "cpu", appliance)[1].level == "todo"
    with pytest.raises(HostNotReady) as failure:
        checks.require_no_failure(findings(spoil(stopped, "system", root=False), "cpu", appliance))
    assert "sudo systemctl start docker" in failure.value.remedy


@pytest.mark.parametrize("version", [None, "2.25.0", "2.24.6", "1.29.2"])
def test_a_missing_or_old_compose_is_installed(
    version: str | None, cpu_host: Host, appliance: Appliance
) -> None:
    host = spoil(cpu_host, "docker", compose=version)
    assert checks.steps(host, "cpu") == ["install-compose"]
    assert findings(host, "cpu", appliance)[2].level == "todo"


def test_where_no_compose_can_be_installed_the_guide_is_named(cpu_host: Host, appliance: Appliance) -> None:
    host = spoil(spoil(cpu_host, "docker", compose=None), "system", machine="aarch64")
    with pytest.raises(HostNotReady) as failure:
        checks.require_no_failure(findings(host, "cpu", appliance))
    assert "https://docs.docker.com/compose/install/linux/" in failure.value.remedy


@pytest.mark.parametrize(
    ("text", "expected"),
    [("20.10.24+dfsg1", (20, 10, 24)), ("2.40.3", (2, 40, 3)), ("1.30.6", (1, 30, 6)), ("dev", ()), ("", ())],
)
def test_versions_are_compared_as_numbers(text: str, expected: tuple[int, ...]) -> None:
    assert version_tuple(text) == expected


def test_nvidia_smi_lines_become_cards() -> None:
    lines = "0, GPU-4a, NVIDIA RTX 4090, 24564, 575.64.03\n1, GPU-5b, NVIDIA RTX A6000, 49140, 575.64.03\n"
    gpus, driver = parse_gpus(lines)
    assert driver == "575.64.03"
    assert gpus[1] == Gpu("1", "GPU-5b", "NVIDIA RTX A6000", 49140)
    assert parse_gpus("No devices were found\n") == ((), None)


def test_an_unused_card_is_said(gpu_host: Host, appliance: Appliance) -> None:
    found = findings(gpu_host, "cpu", appliance)
    assert any(finding.level == "warn" and "--engine gpu" in finding.remedy for finding in found)
    assert isinstance(gpu_host.nvidia, Nvidia)
