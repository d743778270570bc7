"""What CHANGELOG.md says between two releases, and which of two is the newer one. Pure."""

import re

from appliance_cli.host.finding import version_tuple

_HEADING = re.compile(r"^## \[(\d+\.\d+\.\d+)\]", re.MULTILINE)


def between(text: str, present: str, wanted: str) -> str:
    """The sections of the releases after ``present`` up to ``wanted``, as they stand; "" for none."""
    headings = list(_HEADING.finditer(text))
    ends = [heading.start() for heading in headings[1:]] + [len(text)]
    sections = [
        text[heading.start() : end].strip()
        for heading, end in zip(headings, ends, strict=True)
        if version_tuple(present) < version_tuple(heading[1]) <= version_tuple(wanted)
    ]
    return "\n\n".join(sections)


def by_hand(present: str, wanted: str) -> bool:
    """Whether something must be done by hand between the two: that is what another major number says."""
    return version_tuple(present)[0] != version_tuple(wanted)[0]
