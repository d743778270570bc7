"""An account's limits are the same in nginx and in the command line that writes them: names and range."""

from __future__ import annotations

import re

from appliance_cli.door.accounts import LIMITS, MOST, limit
from harness.stack import REPO

LIMITS_JS = (REPO / "nginx/gate/limits.js").read_text()


def test_nginx_reads_the_limits_that_the_command_line_writes() -> None:
    (names,) = re.findall(r"^const NAMES = \[(.*)\];$", LIMITS_JS, re.M)
    assert re.findall(r"'(\w+)'", names) == list(LIMITS)


def test_both_take_the_same_range() -> None:
    (least,) = re.findall(r"^const LEAST = (\S+);$", LIMITS_JS, re.M)
    (most,) = re.findall(r"^const MOST = (\S+);$", LIMITS_JS, re.M)
    assert float(most) == MOST
    assert limit("--rpm", least) == int(least)
