"""What the engines and the door say at /metrics, read from within: neither is published.

A chat replica asks for it, since every appliance has one and its image has Python. `parse` and what is below
are pure.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from appliance_cli.base.process import ask
from appliance_cli.compose.containers import Container

_ASK = """
import json, socket, urllib.request
def get(url):
    try:
        return urllib.request.urlopen(url, timeout=5).read().decode()
    except (OSError, ValueError):
        return ""
try:
    found = {entry[4][0] for entry in socket.getaddrinfo("tgi", 3000, socket.AF_INET, socket.SOCK_STREAM)}
except OSError:
    found = ()
urls = [f"http://{address}:3000" for address in sorted(found)]
engines = {url: get(url + "/metrics") for url in urls}
print(json.dumps({"engines": engines, "door": get("http://nginx:8088/metrics")}))
"""
_SERIES = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

Series = Sequence[tuple[str, Mapping[str, str], float]]


@dataclass(frozen=True)
class Figures:
    """Each engine's series by its address, and the door's series. Empty where one does not answer."""

    engines: Mapping[str, Series] = field(default_factory=dict)
    door: Series = ()

    def engine(self, name: str, **labels: str) -> float | None:
        """A value of the engines', added up; None where none has it."""
        found = [value for series in self.engines.values() for value in values(series, name, **labels)]
        return sum(found) if found else None


def read(containers: Sequence[Container]) -> Figures | None:
    """The figures now; None without a chat replica that runs, or when it does not answer."""
    replica = next((c for c in containers if c.service == "ui" and c.state == "running"), None)
    if replica is None:
        return None
    answer = ask(["docker", "exec", replica.id, "python3", "-c", _ASK], timeout=30)
    try:
        said = json.loads(answer.out)
    except ValueError:
        return None
    engines = {address: parse(text) for address, text in said["engines"].items()}
    return Figures(engines, parse(said["door"]))


def parse(text: str) -> Series:
    """Prometheus' text format: each series' name, labels and value."""
    rows = (_SERIES.match(line) for line in text.splitlines())
    return [(row[1], dict(_LABEL.findall(row[2] or "")), float(row[3])) for row in rows if row]


def values(series: Series, name: str, **labels: str) -> list[float]:
    """The values of this name whose labels are these, among others."""
    return [value for found, has, value in series if found == name and labels.items() <= dict(has).items()]


def gained(before: Figures, now: Figures, name: str) -> float | None:
    """How much a counter grew between two looks, of the engines that told it in both.

    An engine that began anew counts from 0 and is left out; None where none is left.
    """
    grown = [
        sum(later) - sum(earlier)
        for address, series in now.engines.items()
        if (later := values(series, name))
        and (earlier := values(before.engines.get(address, ()), name))
        and sum(later) >= sum(earlier)
    ]
    return sum(grown) if grown else None


def quantile(share: float, before: Series, after: Series, name: str, **labels: str) -> float | None:
    """A quantile of what a histogram gained between two looks, in its own unit; None where it gained nothing.

    None, too, where ``before`` has none of it: all that it ever counted was not gained in between. Within a
    bucket it is taken to be evenly spread, as Prometheus does.
    """
    earlier, later = _buckets(before, name, labels), _buckets(after, name, labels)
    grown = {bound: count - earlier.get(bound, 0.0) for bound, count in later.items()}
    bounds = sorted(grown)
    total = grown[bounds[-1]] if bounds and earlier else 0.0
    if total <= 0:
        return None
    wanted, lower, below = share * total, 0.0, 0.0
    for bound in bounds:
        if grown[bound] >= wanted:
            if bound == float("inf"):
                return lower
            width = grown[bound] - below
            return lower + (bound - lower) * ((wanted - below) / width if width else 0.0)
        lower, below = bound, grown[bound]
    return lower


def _buckets(series: Series, name: str, labels: Mapping[str, str]) -> dict[float, float]:
    """Cumulative counts by upper bound, added up over all series with these labels."""
    found: dict[float, float] = {}
    for each, has, value in series:
        if each == f"{name}_bucket" and labels.items() <= dict(has).items():
            bound = float(has["le"])
            found[bound] = found.get(bound, 0.0) + value
    return found
