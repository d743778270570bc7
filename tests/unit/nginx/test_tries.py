"""What nginx tries once more is logged, counted and refused as at the first time."""

from __future__ import annotations

import re

from harness.routes import TABLE

NGINX = TABLE.parent


def _named_locations(file: str) -> dict[str, str]:
    text = (NGINX / file).read_text()
    return dict(re.findall(r"^ *location (@\w+) \{\n(.*?)^ *\}$", text, re.M | re.S))


def test_every_location_inside_says_what_it_logs() -> None:
    found = _named_locations("conf.d/internal.conf")
    assert len(found) > 3
    assert [name for name, block in found.items() if "access_log " not in block] == []


def test_what_passes_as_it_is_is_refused_alike_at_both_tries() -> None:
    found = _named_locations("snippets/refusals.conf")
    (again,) = re.findall(r"error_page 502 504 = (@\w+);", found["@engine_as_is"])
    refusals = [
        sorted(re.findall(r"proxy_intercept_errors on|error_page 4.*(?=;)", found[name]))
        for name in ("@engine_as_is", again)
    ]
    assert refusals[0] == refusals[1]
    assert len(refusals[0]) == 4


def test_whether_the_last_one_took_the_connection_is_asked_anew_each_time() -> None:
    """nginx remembers a map's value for the whole request, which asks openai-api and then an engine."""
    upstreams = (NGINX / "conf.d/upstreams.conf").read_text()
    (block,) = re.findall(r"map \$upstream_connect_time \$was_taken \{(.*?)\}", upstreams, re.S)
    assert "volatile;" in block
