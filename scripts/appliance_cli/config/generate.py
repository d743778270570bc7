"""Writes .env.example and docs/settings.md, in both languages, of the table of settings, for who changes it.

PYTHONPATH=scripts:services/model-init python -m appliance_cli.config.generate [--check]
"""

import argparse
import sys
import textwrap
from pathlib import Path

from appliance_cli.base import atomic_file
from appliance_cli.config.table import SECTIONS, SETTINGS, Section, Setting
from appliance_cli.config.table.setting import Chinese

ROOT = Path(__file__).resolve().parents[3]
WIDTH = 118
HEAD = """\
# Settings of the appliance. Copy to .env and uncomment what you change; every line shows its default.
# ./scripts/appliance up writes .env itself, once, from what it finds on the host, and leaves what you set.
# After a change: ./scripts/appliance up
"""
_WRITTEN = (
    "<!-- Written by python -m appliance_cli.config.generate from scripts/appliance_cli/config/table. -->"
)
_ENGLISH = """# Settings

[简体中文](zh/settings.md)

All settings live in `.env`, beside `docker-compose.yml`. `./scripts/appliance up` writes it once, from what
it finds on the host, and leaves what you set; without it every default holds.
[.env.example](../.env.example) lists each setting with its default and when to change it. After a change:
`./scripts/appliance up`. A value that cannot work, or a name that can only be a misspelt setting, is
refused there with its line.

The ones that people change:
"""
_CHINESE = """# 设置

[English](../settings.md)

所有设置都在 `docker-compose.yml` 旁边的 `.env` 中。`./scripts/appliance up` 首次运行时根据主机情况写入，
之后不改动您设置的内容；没有这个文件时一律采用默认值。
[.env.example](../../.env.example)（英文）列出每个设置、默认值和何时需要修改。
修改之后运行 `./scripts/appliance up`；无效的值，以及显然拼错的名称，会连同行号一起被拒绝。

常用的设置：
"""


def env_example() -> str:
    """The whole text of .env.example."""
    return "\n".join([HEAD, *(_section(section) for section in SECTIONS)])


def english() -> str:
    """The whole page."""
    rows = [
        f"| `{setting.name}` | {_default(setting, _noted(setting))} | {setting.when} |\n"
        for setting in SETTINGS.values()
        if setting.common
    ]
    return _page(_ENGLISH, "| setting | default | change it when |", rows)


def chinese() -> str:
    """The whole page in Chinese."""
    rows = [
        f"| `{setting.name}` | {_default(setting, _noted_in_chinese(setting, zh))} | {zh.when} |\n"
        for setting in SETTINGS.values()
        if (zh := setting.zh)
    ]
    return _page(_CHINESE, "| 设置 | 默认值 | 何时修改 |", rows)


def _page(head: str, titles: str, rows: list[str]) -> str:
    return f"{_WRITTEN}\n\n{head}\n{titles}\n| --- | --- | --- |\n{''.join(rows)}"


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


def _default(setting: Setting, noted: tuple[str, str]) -> str:
    """The default in a cell of a table; ``noted``: what follows where there is none, and other defaults."""
    empty, told = noted
    return f"{setting.default or empty}{told}"


def _noted(setting: Setting) -> tuple[str, str]:
    notes = [
        (setting.cpu_default, f"CPU engine: {setting.cpu_default}"),
        (setting.with_up, f"`appliance up`: {setting.with_up}"),
    ]
    told = "; ".join(note for wanted, note in notes if wanted)
    return setting.empty or "none", f" ({told})" if told else ""


def _noted_in_chinese(setting: Setting, zh: Chinese) -> tuple[str, str]:
    notes = [
        (setting.cpu_default, f"CPU 引擎：{setting.cpu_default}"),
        (zh.with_up, f"`appliance up`：{zh.with_up}"),
    ]
    told = "；".join(note for wanted, note in notes if wanted)
    return zh.empty or "无", f"（{told}）" if told else ""


def files() -> dict[str, str]:
    """What is written, by its path in the repository."""
    return {".env.example": env_example(), "docs/settings.md": english(), "docs/zh/settings.md": chinese()}


def main() -> int:
    """Write the files, or with --check only say which is stale (exit code 1)."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--check", action="store_true", help="change nothing; exit with 1 when a file is stale"
    )
    check = parser.parse_args().check
    wanted = {ROOT / name: text for name, text in files().items()}
    stale = [
        path for path, text in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    for path in stale:
        print(f"{path.relative_to(ROOT)}: {'stale' if check else 'written'}")
        if not check:
            atomic_file.replace(path, wanted[path].encode(), 0o644)
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
