"""What each kind of value accepts. Images: as Docker 20.10 and 28 answered when they were asked."""

from __future__ import annotations

import pytest

from appliance_cli.config.kinds import HostFolder, Image, Kind, Memory, NginxUrl, Number, Whole
from appliance_cli.config.table import SETTINGS

EXAMPLES: list[tuple[Kind, list[str], list[str]]] = [
    (
        Image(),
        [
            "foo",
            "foo:TAG",
            "a__b/c.d-e",
            "localhost/x",
            "FOO.com/bar",
            "Foo:5000/x",
            f"foo@sha256:{'a' * 64}",
            f"ghcr.io/a/b:3.3.7@sha256:{'a' * 64}",
            f"sha256:{'a' * 64}",
            f"foo:{'t' * 128}",
            f"x/{'y' * 253}",
        ],
        [
            "Foo/Bar",
            "Foo/bar",
            "foo.com/Bar",
            "LOCALHOST/x",
            "foo:",
            "foo:1:2",
            "foo@sha256:abc",
            "a___b",
            "a-",
            "-a",
            "f.-b",
            "foo bar",
            "Ü",
            "http://foo/bar",
            "a//b",
            "foo\n",
            "a" * 64,
            f"foo:{'t' * 129}",
            f"x/{'y' * 254}",
        ],
    ),
    (
        Whole(1, 65535),
        ["1", "65535", "0080"],
        ["0", "65536", "-1", "+1", "1.0", "²", "٣", " 1", "1\n", "9" * 5000],
    ),
    (Number(0.05, 1), ["0.72", ".5", "1", "1.0"], ["0", "72", "nan", "1e-1", "-0.5", "0,7", "0.", " 0.7"]),
    (
        Memory(),
        ["24g", "24G", "24gb", "24GiB", "24 g", "1.5g", "6m", "6291456", "512mb"],
        ["24x", "-1", "0", "24", "5m", " 24g", "g", "1e9", "24gg"],
    ),
    (HostFolder(), ["/srv/x", "./x", "../x", "~/x"], ["x", "x/y", "/a:b", ".x", "C:\\x"]),
    (
        NginxUrl(),
        ["http://oauth2-proxy:4180/oauth2/auth", "https://a.example/?x=1"],
        [
            "http://a/#x",
            "http://u@a/",
            "http://a/ b",
            "http://a/$x",
            "a:80",
            "http://a:99999/",
            "http://[",
            "http://a:0",
        ],
    ),
]


@pytest.mark.parametrize(("kind", "accepted", "refused"), EXAMPLES, ids=lambda value: type(value).__name__)
def test_what_is_accepted(kind: Kind, accepted: list[str], refused: list[str]) -> None:
    assert [value for value in accepted if not kind.accepts(value)] == []
    assert [value for value in refused if kind.accepts(value)] == []


@pytest.mark.parametrize(
    ("name", "accepted", "refused"),
    [
        ("SESSION_DAYS", ["1", "365"], ["0", "0.3", "a week"]),
        ("SSO_USER_HEADER", ["X-Forwarded-User", "remote_user"], ["X User", "X:"]),
        (
            "SSO_SIGN_IN_URL",
            ["/oauth2/sign_in", "https://sso.example/?rd=%2F"],
            ["sso.example", "/a b", "javascript:x"],
        ),
        ("COMPOSE_PROFILES", ["monitoring", "monitoring,mine", "*"], ["monitoring,", "my profile"]),
        ("GPU_DEVICES", ["0", "GPU-1, GPU-2", "1,1"], [",", "0 1"]),
        ("TARGET_VRAM", ["1", "15.5", "all", "ALL"], ["0", "nan", "1025", "most"]),
        ("LORA_ADAPTERS", ["sql=adapters/sql", "a=b, c=d/e"], ["someone/adapter", "a=b c", "a=", "a=b,,c=d"]),
        ("APPLIANCE_USER", ["1000:1000", "0:0"], ["alice", "1000", "1000:", "-1:0"]),
        (
            "TLS_NAMES",
            ["chat.example", "10.0.0.5,[fd00::1]", "*.a.example,bücher.example", "a,,b"],
            ["a b", "a..b"],
        ),
        ("BIND_ADDRESS", ["0.0.0.0", "::1"], ["localhost", "127.0.0.1:80", "1.2.3"]),
    ],
)
def test_what_single_settings_accept(name: str, accepted: list[str], refused: list[str]) -> None:
    test_what_is_accepted(SETTINGS[name].kind, accepted, refused)
