"""Which proxies a container can use, and how the others are named."""

from __future__ import annotations

import pytest

from model_files.proxy_address import fault, on_the_host


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1:3128",
        "http://me:s%40cret@proxy.example:3128/",
        "socks5://10.0.0.1",
        "socks5h://[fd00::1]:1080",
        "http://host.docker.internal:7890",
    ],
)
def test_what_a_container_can_use(address: str) -> None:
    assert fault(address) is None


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("socks4://10.0.0.1:1080", "socks4"),
        ("https://10.0.0.1:3128", "https"),
        ("http://", "no such address"),
        ("http://10.0.0.1:port", "no such address"),
        ("http://[bad", "no such address"),
        ("http://proxy..example:3128", "no such address"),
        (f"http://{'a' * 64}.example:3128", "no such address"),
    ],
)
def test_what_it_can_not_is_named(address: str, found: str) -> None:
    wrong = fault(address)
    assert wrong is not None
    assert wrong.found == found


@pytest.mark.parametrize(
    ("address", "instead"),
    [
        ("http://me:secret@127.0.0.1:7890", "http://host.docker.internal:7890"),
        ("localhost:7890", "http://host.docker.internal:7890"),
        ("socks5h://[::1]", "socks5h://host.docker.internal:1080"),
    ],
)
def test_what_is_the_container_itself_comes_with_what_to_write(address: str, instead: str) -> None:
    wrong = fault(address)
    assert wrong is not None
    assert wrong.remedy.startswith(f"write {instead} and let the proxy listen for it")
    assert "secret" not in f"{wrong}"


def test_the_host_itself_reaches_its_proxy_by_loopback() -> None:
    assert on_the_host("http://me:x@host.docker.internal:7890") == "http://me:x@127.0.0.1:7890"
