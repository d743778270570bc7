"""Writes what the table of settings says into .env.example and README.md, for who changes the table.

PYTHONPATH=scripts:services/model-init python -m appliance_cli.config.generate [--check]
"""

import argparse
import sys
import textwrap
from pathlib import Path

from appliance_cli.base import atomic_file
from appliance_cli.config.table import SECTIONS, SETTINGS, Section, Setting

ROOT = Path(__file__).resolve().parents[3]
WIDTH = 118
HEAD = """\
# Settings of the appliance. Copy to .env and uncomment what you change; every line shows its default.
# ./scripts/appliance up writes .env itself, once, from what it finds on the host, and leaves what you set.
# After a change: ./scripts/appliance up
"""
BEGIN = (
    "<!-- Written by python -m appliance_cli.config.generate from scripts/appliance_cli/config/table. -->\n"
)
END = "<!-- End of what is written. -->\n"


def env_example() -> str:
    """The whole text of .env.example."""
    return "\n".join([HEAD, *(_section(section) for section in SECTIONS)])


def readme_table() -> str:
    """The README's table of the settings that people change."""
    rows = [
        f"| `{setting.name}` | {_default_in_words(setting)} | {setting.when} |\n"
        for setting in SETTINGS.values()
        if setting.common
    ]
    return "| setting | default | change it when |\n| --- | --- | --- |\n" + "".join(rows)


def with_table(readme: str) -> str:
    """A README's text with its table as it is now."""
    before, _, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"README.md has lost a line, {BEGIN.strip()} or {END.strip()}")
    return f"{before}{BEGIN}\n{readme_table()}\n{END}{after}"


def _section(section: Section) -> str:
    rule = f"# --- {section.title} ".ljust(WIDTH, "-")
    return "".join(f"{line}\n" for line in [rule, *map(_lines, section.settings)])


def _lines(setting: Setting) -> str:
    verb = "Change" if setting.default else "Set"
    when = f" {verb} it when {setting.when}." if setting.when else ""
    plain = f"{setting.says}{when}{_notes(setting)}".replace("`", "")
    # why: a path or an option that is broken at its hyphen cannot be copied
    comment = textwrap.wrap(plain, WIDTH - 2, break_long_words=False, break_on_hyphens=False)
    return "\n".join([*(f"# {line}" for line in comment), f"#{setting.name}={setting.default}"])


def _notes(setting: Setting) -> str:
    notes = [
        (setting.empty, f"Empty: {setting.empty}."),
        (setting.cpu_default, f"CPU engine: {setting.cpu_default}."),
        (setting.with_up, f"./scripts/appliance up: {setting.with_up}."),
    ]
    return "".join(f" {note}" for wanted, note in notes if wanted)


def _default_in_words(setting: Setting) -> str:
    notes = [
        (setting.cpu_default, f"CPU engine: {setting.cpu_default}"),
        (setting.with_up, f"`appliance up`: {setting.with_up}"),
    ]
    told = "; ".join(note for wanted, note in notes if wanted)
    return (setting.default or setting.empty or "none") + (f" ({told})" if told else "")


def main() -> int:
    """Write both files, or with --check only say which is stale (exit code 1)."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--check", action="store_true", help="change nothing; exit with 1 when a file is stale"
    )
    check = parser.parse_args().check
    readme = ROOT / "README.md"
    wanted = {ROOT / ".env.example": env_example(), readme: with_table(readme.read_text(encoding="utf-8"))}
    stale = [path for path, text in wanted.items() if path.read_text(encoding="utf-8") != text]
    for path in stale:
        print(f"{path.name}: {'stale' if check else 'written'}")
        if not check:
            atomic_file.replace(path, wanted[path].encode(), path.stat().st_mode & 0o777)
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
