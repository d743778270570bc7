"""The kinds of values that a setting can have: what is accepted, and how that is said to a person. Pure.

Each kind judges one value that is not empty; an empty one counts as not set, as in Compose's ``${NAME:-…}``.
"""

import ipaddress
import re
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from model_files.hubs import is_model_id

LEAST_MEMORY = 6 << 20
_DNS_NAME = re.compile(
    r"(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?"
)
# Whatever would end a value in nginx's configuration, or be expanded in it.
_UNSAFE_IN_NGINX = re.compile(r"[\s\"'`;{}\\$<>]")
_MEMORY = re.compile(r"(\d+(?:\.\d+)?) ?(?:([kmgtp])i?)?b?", re.ASCII | re.IGNORECASE)


class Kind(Protocol):
    """What a setting's value may be. ``private``: it may hold a password, so that it is never shown."""

    @property
    def expected(self) -> str:
        """The accepted values in words, as an error says them."""

    @property
    def private(self) -> bool: ...

    def accepts(self, value: str) -> bool: ...


@dataclass(frozen=True)
class Text:
    """Anything: what it means is known only where it is used."""

    expected: str = "text"
    private: bool = False

    def accepts(self, value: str) -> bool:
        return True


@dataclass(frozen=True)
class Whole:
    """A whole number from ``low`` to ``high``."""

    low: int
    high: int
    private: bool = False

    @property
    def expected(self) -> str:
        return f"a whole number from {self.low} to {self.high}"

    def accepts(self, value: str) -> bool:
        # why: Python refuses to convert thousands of digits
        return re.fullmatch(r"[0-9]{1,18}", value) is not None and self.low <= int(value) <= self.high


@dataclass(frozen=True)
class Number:
    """A number from ``low`` to ``high``, such as 0.72, or a ``word`` in place of one, in either case."""

    low: float
    high: float
    word: str = ""
    private: bool = False

    @property
    def expected(self) -> str:
        return f"a number from {self.low:g} to {self.high:g}" + (f", or {self.word}" if self.word else "")

    def accepts(self, value: str) -> bool:
        if self.word and value.lower() == self.word:
            return True
        plain = re.fullmatch(r"[0-9]+(\.[0-9]+)?|\.[0-9]+", value) is not None
        return plain and self.low <= float(value) <= self.high


@dataclass(frozen=True)
class Choice:
    """One of a few words."""

    words: tuple[str, ...]
    private: bool = False

    @property
    def expected(self) -> str:
        return f"{', '.join(self.words[:-1])} or {self.words[-1]}"

    def accepts(self, value: str) -> bool:
        return value in self.words


@dataclass(frozen=True)
class Some:
    """Some of a few words, each once, separated by commas."""

    words: tuple[str, ...]
    private: bool = False

    @property
    def expected(self) -> str:
        return f"some of {', '.join(self.words)}, each once, separated by commas"

    def accepts(self, value: str) -> bool:
        names = [name.strip() for name in value.split(",")]
        return set(names) <= set(self.words) and len(set(names)) == len(names)


@dataclass(frozen=True)
class Matching:
    """Text of one form. The pattern is ASCII's."""

    pattern: str
    expected: str
    private: bool = False

    def accepts(self, value: str) -> bool:
        return re.fullmatch(self.pattern, value, re.ASCII) is not None


@dataclass(frozen=True)
class ModelId:
    """A model's name on a hub, which is a folder of the models volume, beside the engine's own ``out``."""

    expected: str = "<organisation>/<name> such as Qwen/Qwen2.5-7B-Instruct"
    private: bool = False

    def accepts(self, value: str) -> bool:
        return is_model_id(value) and not value.startswith("out/")


@dataclass(frozen=True)
class Revision:
    """A branch, tag or commit of a model's repository."""

    expected: str = "a branch, tag or commit"
    private: bool = False

    def accepts(self, value: str) -> bool:
        return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,199}", value) is not None and ".." not in value


@dataclass(frozen=True)
class Address:
    """An IP address."""

    expected: str = "an IP address, such as 127.0.0.1"
    private: bool = False

    def accepts(self, value: str) -> bool:
        try:
            ipaddress.ip_address(value)
        except ValueError:
            return False
        return True


@dataclass(frozen=True)
class HostNames:
    """Host names and addresses for a certificate, separated by commas."""

    expected: str = "host names and addresses with commas between, such as chat.example.org,192.168.1.4"
    private: bool = False

    def accepts(self, value: str) -> bool:
        return all(name is not None for name in map(host_name, value.split(",")))


@dataclass(frozen=True)
class Url:
    """An http or https address; it may hold a password."""

    expected: str = "an http:// or https:// address"
    private: bool = True

    def accepts(self, value: str) -> bool:
        try:
            parts = urlsplit(value)
            return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            return False


@dataclass(frozen=True)
class NginxUrl:
    """An http or https address that nginx can ask: written into its configuration as it is."""

    expected: str = (
        "an http or https URL without spaces, quotes or a password, "
        "such as http://oauth2-proxy:4180/oauth2/auth"
    )
    private: bool = True

    def accepts(self, value: str) -> bool:
        if not Url().accepts(value) or _UNSAFE_IN_NGINX.search(value):
            return False
        parts = urlsplit(value)
        return "@" not in parts.netloc and not parts.fragment


@dataclass(frozen=True)
class HostFolder:
    """A folder of this host that Compose mounts. A bare name would be a volume of Docker's."""

    expected: str = "a path that begins with /, ./, ../ or ~/ and holds no colon"
    private: bool = False

    def accepts(self, value: str) -> bool:
        return re.match(r"(?:~|\.{1,2})?/", value) is not None and ":" not in value


@dataclass(frozen=True)
class Memory:
    """An amount of memory as Docker takes it, not below Docker's own least."""

    expected: str = "an amount of memory such as 24g or 512m, 6m at least"
    private: bool = False

    def accepts(self, value: str) -> bool:
        match = _MEMORY.fullmatch(value)
        if match is None:
            return False
        power = "kmgtp".index(match[2].lower()) + 1 if match[2] else 0
        return float(match[1]) * (1 << 10 * power) >= LEAST_MEMORY


@dataclass(frozen=True)
class Image:
    """An image's name: the grammar of github.com/distribution/reference, and what Docker adds to it."""

    expected: str = "an image's name in lower case, such as registry.example/team/image:1.0"
    private: bool = False

    def accepts(self, value: str) -> bool:
        match = _IMAGE.fullmatch(value)
        if match is None or re.fullmatch(r"[a-f0-9]{64}", value):
            return False
        first, slash, _ = match["name"].partition("/")
        # why: a first part without . or : is no registry but part of the name, which is in lower case
        registry = "." in first or ":" in first or first == "localhost"
        return len(match["name"]) <= 255 and (registry or not slash or first == first.lower())


def is_dns_name(name: str) -> bool:
    """Whether a certificate can carry this (lower-case) host name."""
    return len(name) <= 253 and _DNS_NAME.fullmatch(name) is not None


def host_name(text: str) -> str | None:
    """A host name or address as a certificate carries it, "" for nothing; None when it cannot be one."""
    text = text.strip()
    if not text:
        return ""
    try:
        return str(ipaddress.ip_address(text.strip("[]")))
    except ValueError:
        pass
    try:
        name = text.lower() if text.isascii() else text.encode("idna").decode()
    except UnicodeError:
        return None
    return name if is_dns_name(name) else None


def _image() -> re.Pattern[str]:
    label = r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)"
    registry = rf"(?:{label}(?:\.{label})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
    part = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
    digest = r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}"
    name = rf"(?P<name>(?:{registry}/)?{part}(?:/{part})*)"
    return re.compile(rf"{name}(?::\w[\w.-]{{0,127}})?(?:@{digest})?", re.ASCII)


_IMAGE = _image()
