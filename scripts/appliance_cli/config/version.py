"""This appliance's version: it stands in docker-compose.yml and nowhere else."""

import re
from pathlib import Path

from appliance_cli.base.errors import BadSetting

FILE = "docker-compose.yml"
_LINE = re.compile(r'^x-version: &version "(\d+\.\d+\.\d+)"$', re.MULTILINE)


def of(root: Path) -> str:
    """The version of the appliance in this folder. Raises BadSetting where its line was changed."""
    found = _LINE.findall((root / FILE).read_text(encoding="utf-8"))
    if len(found) == 1:
        return str(found[0])
    raise BadSetting(
        f"{FILE} does not say which version this is",
        expected='one line such as x-version: &version "1.2.3"',
        found=f"{len(found)} of them",
        remedy=f"put that line back as the repository has it: git diff {FILE}",
    )
