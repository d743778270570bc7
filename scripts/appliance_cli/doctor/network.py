"""Whether what has to be fetched can be reached from here, and whether this host's clock is right.

`ask_all` asks, each once and with a short patience; what the answers mean is pure.
"""

import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal
from urllib.parse import urlsplit

import requests
from docker.auth import resolve_repository_name

from appliance_cli.base.process import ask
from appliance_cli.config.appliance import Appliance
from appliance_cli.config.first_env import SYSTEM_BUNDLE
from appliance_cli.config.values import Values
from appliance_cli.host import proxy
from appliance_cli.host.finding import Finding
from model_files import hubs

PATIENCE_S = 6
CLOCK_OFF_S = 120
Kind = Literal["registry", "package-index", "hubs"]
_OF_PIP = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"


@dataclass(frozen=True)
class Place:
    """Something that is asked for files: its address, and for what."""

    kind: Kind
    name: str
    url: str


@dataclass(frozen=True)
class Reached:
    """What a place said: ``error`` is "" when anything came back. ``off_s``: its clock less this host's.

    ``untrusted``: its certificate is of nobody that this host knows; ``out_of_time``: by this host's clock it
    is not valid yet, or no more.
    """

    place: Place
    error: str
    off_s: float | None = None
    untrusted: bool = False
    out_of_time: bool = False


def places(appliance: Appliance, values: Values) -> tuple[Place, ...]:
    """Where this appliance's parts come from, by its own settings."""
    hub_list = () if values.text("OFFLINE") == "1" else hubs.chosen(values)
    engine: tuple[Place, ...] = ()
    if appliance.engine != "cpu":
        host = resolve_repository_name(appliance.tgi_image)[0]
        engine = (Place("registry", "the engine's image", f"https://{host}/v2/"),)
    index = values.given("PIP_INDEX_URL") or _index_of_pip()
    packages = (Place("package-index", "Python packages", index),) if index else ()
    return (*engine, *packages, *(Place("hubs", hub.name, hub.endpoint) for hub in hub_list))


def ask_all(wanted: Sequence[Place], environ: Mapping[str, str]) -> tuple[Reached, ...]:
    """Ask every place at the same time. The hubs by the proxy that model-init gets."""
    with ThreadPoolExecutor(max(len(wanted), 1)) as pool:
        return tuple(pool.map(lambda place: _ask(place, environ), wanted))


def examine(answers: Sequence[Reached]) -> list[Finding]:
    """What cannot be reached and what to do instead; a proxy that inspects; a clock that is wrong."""
    found = [
        *(
            _blocked(each)
            for each in answers
            if each.error and each.place.kind != "hubs" and not each.untrusted
        ),
        *_hubs([each for each in answers if each.place.kind == "hubs"]),
        *_inspected(answers),
        *_clock(answers),
    ]
    return found


def _blocked(reached: Reached) -> Finding:
    if reached.place.kind == "registry":
        remedy = (
            "a mirror: TGI_IMAGE=MIRROR/huggingface/text-generation-inference:3.3.7 in .env; or a proxy of "
            "Docker's own: /etc/systemd/system/docker.service.d/proxy.conf with "
            "Environment=HTTPS_PROXY=…, then "
            "sudo systemctl daemon-reload && sudo systemctl restart docker"
        )
    else:
        remedy = "a mirror: PIP_INDEX_URL=https://MIRROR/simple in .env"
    host = urlsplit(reached.place.url).hostname
    found = f"{host} ({reached.place.name}) does not answer: {reached.error}"
    return Finding("warn", found, "an answer, unless all is fetched already", remedy, reached.place.kind)


def _hubs(answers: Sequence[Reached]) -> list[Finding]:
    deaf = [each for each in answers if each.error]
    if not answers or len(deaf) < len(answers):
        return [
            Finding("ok", f"{each.place.name} answers", check="hubs") for each in answers if not each.error
        ]
    said = "; ".join(f"{each.place.name}: {each.error}" for each in deaf)
    return [
        Finding(
            "warn",
            f"no hub of MODEL_SOURCES answers ({said})",
            "one of them, unless the model is there",
            "HTTPS_PROXY in .env, other MODEL_SOURCES (hub, hf-mirror, modelscope), or from another machine: "
            "./scripts/appliance model export there, model import here",
            "hubs",
        )
    ]


def _inspected(answers: Sequence[Reached]) -> list[Finding]:
    untrusted = [each for each in answers if each.untrusted]
    if not untrusted:
        return []
    names = ", ".join(str(urlsplit(each.place.url).hostname) for each in untrusted)
    return [
        Finding(
            "fail",
            f"untrusted certificate of {names}: a proxy inspects TLS",
            "certificates that this host trusts",
            "CA_BUNDLE=/path/to/its-ca.pem in .env (ask who runs the network)",
            "corporate-proxy",
        )
    ]


def _clock(answers: Sequence[Reached]) -> list[Finding]:
    refused = [each for each in answers if each.out_of_time]
    if refused and len(refused) == len(answers):
        return [
            Finding(
                "fail",
                "every certificate is not valid yet, or no more, by this host's clock",
                "the right time",
                "sudo timedatectl set-ntp true (under WSL 2: sudo hwclock -s)",
                "clock",
            )
        ]
    offsets = sorted(each.off_s for each in answers if each.off_s is not None)
    if not offsets:
        return []
    middle = offsets[len(offsets) // 2]
    if abs(middle) < CLOCK_OFF_S:
        return [Finding("ok", "this host's clock is right", check="clock")]
    return [
        Finding(
            "fail",
            f"this host's clock is {abs(middle):.0f} s {'behind' if middle > 0 else 'ahead'}",
            f"less than {CLOCK_OFF_S} s off",
            "sudo timedatectl set-ntp true (under WSL 2: sudo hwclock -s)",
            "clock",
        )
    ]


def _ask(place: Place, environ: Mapping[str, str]) -> Reached:
    proxies = proxy.on_this_host(place.url, environ) if place.kind == "hubs" else None
    try:
        with requests.get(
            place.url,
            timeout=PATIENCE_S,
            proxies=proxies,
            verify=_trusted(place, environ),
            stream=True,
            allow_redirects=False,
        ) as answer:
            return Reached(place, "", _offset(answer.headers.get("Date")))
    except requests.exceptions.SSLError as error:
        return _refused(place, str(error))
    except (requests.RequestException, OSError) as error:
        return Reached(place, type(error).__name__)


def _refused(place: Place, error: str) -> Reached:
    out_of_time = "not yet valid" in error or "has expired" in error
    untrusted = "CERTIFICATE_VERIFY_FAILED" in error and not out_of_time
    return Reached(place, "no valid certificate", untrusted=untrusted, out_of_time=out_of_time)


def _trusted(place: Place, environ: Mapping[str, str]) -> str | bool:
    """By whose certificates. CA_BUNDLE is for builds and model-init; Docker trusts what the system does."""
    bundle = environ.get("CA_BUNDLE")
    if place.kind == "registry" and SYSTEM_BUNDLE.exists():
        return str(SYSTEM_BUNDLE)
    return bundle if bundle and bundle != "/dev/null" else True


def _offset(date: str | None) -> float | None:
    try:
        return (parsedate_to_datetime(date or "") - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError):
        return None


def _index_of_pip() -> str:
    return ask([sys.executable, "-c", _OF_PIP]).out.strip()
