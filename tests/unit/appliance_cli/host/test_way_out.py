"""The rule that closes nginx's way out: when it is set, when it cannot be, and what is said then."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from appliance_cli.base.process import Answer
from appliance_cli.host import way_out
from appliance_cli.host.way_out import CLOSED, Edge, Situation
from appliance_cli.stack import status

EDGE = Edge("shop_edge", "br-0123456789ab")
WITH_IPV6 = Edge("shop_edge", "br-0123456789ab", ipv6=True)
RULE = (
    "-i br-0123456789ab ! -o br-0123456789ab -m conntrack ! --ctstate RELATED,ESTABLISHED "
    "-m comment --comment shop_edge -j DROP"
)
OTHERS = ["-s 10.0.0.0/8 -j ACCEPT", RULE.replace("shop", "shop2"), "-j RETURN"]
FINE = Situation(rootless=False, nftables=False, bridge_here=True, root=True)


class Firewall:
    """Stands for iptables and ip6tables: the chain's rules of each; one without an entry has no chain."""

    def __init__(self, *programs: str) -> None:
        self.rules = {program: list(OTHERS) for program in programs}
        self.changes = 0

    def ask(self, argv: Sequence[str]) -> Answer:
        program, wait, action, chain, *words = argv
        assert (wait, chain) == ("-w", "DOCKER-USER")
        rules, text = self.rules.get(program), shlex.join(words).replace("'!'", "!")
        if rules is None:
            return Answer(1, "", "No chain/target/match by that name.")
        if action == "-S":
            return Answer(0, "\n".join(["-N DOCKER-USER", *(f"-A DOCKER-USER {rule}" for rule in rules)]), "")
        if action == "-I":
            rules.insert(0, text)
        elif text not in rules:
            return Answer(1, "", "Bad rule (does a matching rule exist in that chain?).")
        elif action == "-D":
            rules.remove(text)
        self.changes += action != "-C"
        return Answer(0, "", "")


@pytest.fixture
def firewall(monkeypatch: pytest.MonkeyPatch) -> Firewall:
    """This host's, with everything as it should be: root, and a bridge that is here."""
    made = Firewall("iptables", "ip6tables")
    monkeypatch.setattr(way_out, "ask", made.ask)
    monkeypatch.setattr(way_out, "_situation", lambda client, edge: FINE)
    return made


def client(*networks: dict[str, Any], **info: Any) -> Any:
    """A Docker engine with these networks, which says this of itself."""
    found = [SimpleNamespace(id="0123456789abcdef", attrs=attrs) for attrs in networks]
    return SimpleNamespace(networks=SimpleNamespace(list=lambda filters: found), info=lambda: info)


@pytest.mark.parametrize("edge", [EDGE, WITH_IPV6])
def test_it_is_set_once_before_all_others_and_taken_away_alone(firewall: Firewall, edge: Edge) -> None:
    assert way_out.look(client(), edge).closed is False
    for _ in range(2):
        assert way_out.close(client(), edge) == CLOSED
        for program in way_out.PROGRAMS:
            own = [RULE] if program in edge.programs else []
            assert firewall.rules[program] == own + OTHERS, program
    assert firewall.changes == len(edge.programs)
    assert way_out.look(client(), edge) == CLOSED
    way_out.open_again("shop")
    assert list(firewall.rules.values()) == [OTHERS, OTHERS]


def test_rules_for_a_former_bridge_and_doubled_ones_go(firewall: Firewall) -> None:
    firewall.rules["iptables"] = [RULE, RULE.replace("0123", "ffff"), *OTHERS, RULE]
    assert way_out.close(client(), EDGE) == CLOSED
    assert sorted(firewall.rules["iptables"]) == sorted([RULE, *OTHERS])


def test_a_rule_that_is_gone_is_said_with_what_sets_it(firewall: Firewall) -> None:
    way_out.close(client(), WITH_IPV6)
    firewall.rules["ip6tables"] = []
    found = way_out.look(client(), WITH_IPV6)
    assert found.closed is False
    assert found.command == f"ip6tables -w -I DOCKER-USER {RULE.replace('!', chr(39) + '!' + chr(39))}"


@pytest.mark.parametrize(
    ("change", "why", "begins"),
    [
        ({"root": False}, "only root", "sudo iptables -w -I DOCKER-USER -i br-0123456789ab "),
        ({"nftables": True}, "nftables", "sudo nft 'add table inet shop_edge; "),
        ({"rootless": True, "bridge_here": False, "root": False}, "rootless", "nsenter -U "),
        ({"bridge_here": False}, "another machine", "iptables -w -I DOCKER-USER "),
    ],
)
def test_where_it_may_not_it_says_why_and_the_command(change: dict[str, bool], why: str, begins: str) -> None:
    found = way_out.obstacle(EDGE, Situation(**{**vars_of(FINE), **change}))
    assert found is not None
    assert found.closed is None
    assert why in found.why
    assert found.command.startswith(begins)


def vars_of(situation: Situation) -> dict[str, bool]:
    return {name: getattr(situation, name) for name in Situation.__dataclass_fields__}


def test_without_a_program_or_its_chain_it_says_what_helps(
    firewall: Firewall, monkeypatch: pytest.MonkeyPatch
) -> None:
    del firewall.rules["ip6tables"]
    found = way_out.close(client(), WITH_IPV6)
    assert (found.closed, found.why[:22]) == (None, "ip6tables has no chain")
    assert found.command.startswith("ip6tables -w -I FORWARD -i ")
    assert firewall.rules["iptables"] == [RULE, *OTHERS]
    monkeypatch.setattr(way_out, "ask", lambda argv: Answer(127, "", ""))
    found = way_out.close(client(), EDGE)
    assert (found.closed, found.command[:9]) == (None, "sudo nft ")


def test_what_docker_says_of_itself_decides(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(way_out, "INTERFACES", tmp_path)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    elsewhere = Situation(rootless=False, nftables=False, bridge_here=False, root=True)
    assert way_out._situation(client(), EDGE) == elsewhere
    (tmp_path / EDGE.bridge).mkdir()
    assert way_out._situation(client(FirewallBackend={"Driver": "iptables"}), EDGE) == FINE
    said = {"FirewallBackend": {"Driver": "nftables+firewalld"}, "SecurityOptions": ["name=rootless"]}
    assert way_out._situation(client(**said), EDGE) == Situation(True, True, True, True)


def test_the_network_is_found_with_its_bridge() -> None:
    assert way_out.find(client(), "shop") is None
    assert way_out.find(client({"EnableIPv6": False}), "shop") == EDGE
    named = {"EnableIPv6": True, "Options": {"com.docker.network.bridge.name": "shop0"}}
    assert way_out.find(client(named), "shop") == Edge("shop_edge", "shop0", ipv6=True)


@pytest.mark.parametrize(
    ("found", "line"),
    [
        ({"closed": True}, "Way out closed: nginx cannot call out of this machine"),
        ({"closed": False, "why": "gone", "command": "set it"}, "Way out open: gone; to close it: set it"),
        ({"closed": None, "why": "who", "command": "ask"}, "Way out not known: who; to close it: ask"),
    ],
)
def test_status_says_where_it_stands(found: dict[str, Any], line: str) -> None:
    content: dict[str, Any] = {"containers": [], "engine": "cpu", "state": "ready", "message": None}
    assert line in status.table({**content, "model": None, "url": "u", "way_out": found}).splitlines()
