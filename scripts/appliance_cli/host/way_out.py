"""The way out of this machine that nginx's network leaves open, and the firewall's rule that closes it.

A port is published only from a network that leads out; nginx and Grafana's door stand on it (`edge`). Owns
the rule in iptables' DOCKER-USER, and in ip6tables' where that network has IPv6: what it says, whether it is
there, setting and removing it. Knows it by its comment, the network's name. Where it may not set it, it says
what would. Touches no other rule.
"""

import os
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from docker import DockerClient

from appliance_cli.base.process import NOT_INSTALLED, ask

CHAIN = "DOCKER-USER"
PROGRAMS = ("iptables", "ip6tables")
INTERFACES = Path("/sys/class/net")
_ROOTLESS = 'nsenter -U --preserve-credentials -n -t "$(cat "$XDG_RUNTIME_DIR/docker.pid")" '


@dataclass(frozen=True)
class Edge:
    """The network: its name, its bridge on the host, and whether it has IPv6, too."""

    name: str
    bridge: str
    ipv6: bool = False

    @property
    def programs(self) -> tuple[str, ...]:
        """Those whose rules its packets pass."""
        return PROGRAMS if self.ipv6 else PROGRAMS[:1]


@dataclass(frozen=True)
class WayOut:
    """``closed``: by the rule; None where this program may neither see nor set it.

    Unless it is closed ``why`` says what is in the way, and ``command`` what would close it.
    """

    closed: bool | None
    why: str = ""
    command: str = ""


CLOSED = WayOut(closed=True)


@dataclass(frozen=True)
class Situation:
    """What decides whether the rule can be this program's: of the Docker engine and of who runs this."""

    rootless: bool
    nftables: bool
    bridge_here: bool
    root: bool


def rule(edge: Edge) -> list[str]:
    """What comes from the network, leaves by another one and answers nothing is dropped."""
    unasked = ["-m", "conntrack", "!", "--ctstate", "RELATED,ESTABLISHED"]
    return [
        *("-i", edge.bridge, "!", "-o", edge.bridge),
        *unasked,
        *("-m", "comment", "--comment", edge.name, "-j", "DROP"),
    ]


def listing(program: str) -> list[str]:
    """Show the chain's rules, as the arguments that would make them."""
    return [program, "-w", "-S", CHAIN]


def check(program: str, edge: Edge) -> list[str]:
    """Succeeds when the rule is there."""
    return [program, "-w", "-C", CHAIN, *rule(edge)]


def insertion(program: str, edge: Edge, chain: str = CHAIN) -> list[str]:
    """Put the rule before all others."""
    return [program, "-w", "-I", chain, *rule(edge)]


def deletions(program: str, name: str, listed: str) -> list[list[str]]:
    """Remove every rule of the network of this name that ``listed`` shows, one command each."""
    found = (shlex.split(line) for line in listed.splitlines())
    return [[program, "-w", "-D", *words[1:]] for words in found if words[:1] == ["-A"] and name in words]


def with_nft(edge: Edge) -> str:
    """The same rule where packets do not pass iptables' chains."""
    inner = f'iifname "{edge.bridge}" oifname != "{edge.bridge}" ct state != {{ established, related }} drop'
    chain = f"chain out {{ type filter hook forward priority filter - 1; {inner}; }}"
    table = f"table inet {edge.name}"
    return f"sudo nft 'add {table}; delete {table}; {table} {{ {chain}; }}'"


def obstacle(edge: Edge, here: Situation) -> WayOut | None:
    """Why this program cannot see to the rule, if it cannot; and what its operator can do."""
    words = [shlex.join(insertion(program, edge)) for program in edge.programs]
    if here.rootless:
        command = " && ".join(_ROOTLESS + each for each in words)
        return WayOut(None, "a rootless Docker has a firewall of its own", command)
    if here.nftables:
        return WayOut(None, "Docker uses nftables", with_nft(edge))
    if not here.bridge_here:
        return WayOut(None, "Docker's networks are on another machine, where this helps", " && ".join(words))
    if not here.root:
        command = " && ".join(f"sudo {each}" for each in words)
        return WayOut(None, "only root can see and set the rule against it", command)
    return None


def find(client: DockerClient, project: str) -> Edge | None:
    """The appliance's network; None before Compose has made it."""
    labels = [f"com.docker.compose.project={project}", "com.docker.compose.network=edge"]
    for network in client.networks.list(filters={"label": labels}):
        options = network.attrs.get("Options") or {}
        bridge = options.get("com.docker.network.bridge.name") or f"br-{str(network.id)[:12]}"
        return Edge(_name(project), bridge, bool(network.attrs.get("EnableIPv6")))
    return None


def look(client: DockerClient, edge: Edge) -> WayOut:
    """Where it stands; changes nothing."""
    return obstacle(edge, _situation(client, edge)) or _first_open(edge)


def close(client: DockerClient, edge: Edge) -> WayOut:
    """Have the rule there once, where that is possible; those of the network's former bridges go."""
    hindered = obstacle(edge, _situation(client, edge))
    if hindered is not None:
        return hindered
    for program in edge.programs:
        former = deletions(program, edge.name, ask(listing(program)).out)
        if len(former) != 1 or ask(check(program, edge)).code != 0:
            for command in (insertion(program, edge), *former):
                ask(command)
    return _first_open(edge)


def removals(project: str) -> list[list[str]]:
    """What removes the rules of an appliance that are there; nothing for whoever may not see them."""
    return [
        command
        for program in PROGRAMS
        for command in deletions(program, _name(project), ask(listing(program)).out)
    ]


def open_again(project: str) -> None:
    """Remove the rule of an appliance that is down. Nothing happens to whoever may not."""
    for command in removals(project):
        ask(command)


def _name(project: str) -> str:
    return f"{project}_edge"


def _situation(client: DockerClient, edge: Edge) -> Situation:
    info = client.info()
    return Situation(
        rootless="name=rootless" in (info.get("SecurityOptions") or []),
        nftables="nftables" in (info.get("FirewallBackend") or {}).get("Driver", ""),
        bridge_here=(INTERFACES / edge.bridge).exists(),
        root=os.geteuid() == 0,
    )


def _first_open(edge: Edge) -> WayOut:
    return next((found for found in _by_program(edge) if not found.closed), CLOSED)


def _by_program(edge: Edge) -> Iterator[WayOut]:
    for program in edge.programs:
        checked = ask(check(program, edge))
        if checked.code == 0:
            yield CLOSED
        elif checked.code == NOT_INSTALLED:
            yield WayOut(None, f"there is no {program} here", with_nft(edge))
        elif ask(listing(program)).code != 0:
            command = shlex.join(insertion(program, edge, "FORWARD"))
            yield WayOut(None, f"{program} has no chain {CHAIN}, where Docker asks for such rules", command)
        else:
            yield WayOut(False, "the rule against it is not there", shlex.join(insertion(program, edge)))
