"""Known lines in the services' logs, and the trouble that each means. Pure."""

import re
from collections.abc import Mapping, Sequence

from appliance_cli.compose.containers import ENGINE_SERVICE, is_engine
from appliance_cli.doctor.troubles import TROUBLES, Trouble
from appliance_cli.host.finding import Finding, Level

# After one of these lines a service did its work: what stands before is history.
_SERVED = {
    "tgi": re.compile(r'"message":\s*"Connected"|\bConnected\b|serving \S+ on port'),
    "model-init": re.compile(r'"stage": "ready"'),
    "nginx": re.compile(r'"status":2\d\d'),
}
LONGEST = 200


def examine(logs: Mapping[str, Sequence[str]]) -> list[Finding]:
    """A finding for each trouble that a log shows, the last line of each. ``logs``: lines by service."""
    found = []
    for service, lines in logs.items():
        shown = _shown(ENGINE_SERVICE if is_engine(service) else service, lines)
        specific = [trouble for trouble in shown if not trouble.generic]
        found += [_finding(trouble, service, *shown[trouble]) for trouble in specific or list(shown)]
    return found


def _shown(service: str, lines: Sequence[str]) -> dict[Trouble, tuple[str, bool]]:
    """Each trouble of this service with its last line, and whether the service did its work after it."""
    served = _SERVED.get(service)
    shown: dict[Trouble, tuple[str, bool]] = {}
    for line in lines:
        if served and served.search(line):
            shown = {trouble: (text, True) for trouble, (text, _) in shown.items()}
        for trouble in TROUBLES.values():
            if trouble.log and trouble.service == service and re.search(trouble.log, line):
                shown[trouble] = (line, False)
    return shown


def _finding(trouble: Trouble, service: str, line: str, over: bool) -> Finding:
    history = "; it has worked since" if over else ""
    level: Level = "warn" if over or trouble.harmless else "fail"
    found = f"log of {service}: {said(line)}{history}"
    return Finding(level, found, f"no such line: {plain(trouble.means)}", plain(trouble.do), trouble.check)


def said(line: str) -> str:
    """The message in a line that may be JSON, short enough for a table."""
    message = re.search(r'"message":\s*"((?:[^"\\]|\\.)*)"', line)
    text = message[1].replace('\\"', '"') if message else line.strip()
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} …"


def plain(markdown: str) -> str:
    """Markdown's words without its marks."""
    return markdown.replace("`", "")
