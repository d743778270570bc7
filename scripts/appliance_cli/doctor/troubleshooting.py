"""Writes docs/troubleshooting.md and docs/zh/troubleshooting.md from doctor's own list.

PYTHONPATH=scripts:services/model-init python -m appliance_cli.doctor.troubleshooting [--check]
"""

import argparse
import sys
from pathlib import Path

from appliance_cli.base import atomic_file
from appliance_cli.doctor.troubles import SECTIONS, Trouble

ROOT = Path(__file__).resolve().parents[3]
_WRITTEN = (
    "<!-- Written by python -m appliance_cli.doctor.troubleshooting from "
    "scripts/appliance_cli/doctor/troubles. -->"
)
_TITLES = {
    "host": ("The host, Docker and the network", "主机、Docker 与网络"),
    "gpu": ("The card", "显卡"),
    "model": ("The model", "模型"),
    "engine": ("The engine", "引擎"),
    "running": ("The running appliance", "运行中的服务"),
}
_ENGLISH = """# Troubleshooting

`./scripts/appliance doctor` looks for all of this by itself, but for the rows with an asterisk, which `up` or
the API tells whoever meets them. It says what it expected, what it found and what to do; `--quick` is the
part that `up` looks at, too; `--json` is for programs; `--bundle FILE` packs what a person who helps needs to
see, without secrets, prompts or answers. The last column is the name that doctor gives to the trouble.
"""
_CHINESE = """# 故障排查

`./scripts/appliance doctor` 会自动检查下面的问题，并给出期望值、实际值和处理办法；
带星号的各行除外，它们由 `up` 或接口在发生时直接告知；
`--quick` 只做 `up` 也会做的那部分检查；`--json` 供程序读取；
`--bundle 文件` 会打包求助时需要的信息，其中不含密码、提问和回答。
最后一列是 doctor 对该问题的命名。
"""


def english() -> str:
    """The whole page."""
    titles = "| you see | it means | do | check |"
    rows = {name: [_row(t.see, t.means, t.do, t) for t in section] for name, section in SECTIONS.items()}
    return _page(_ENGLISH, titles, 0, rows)


def chinese() -> str:
    """The whole page in Chinese."""
    titles = "| 现象 | 原因 | 处理 | 检查项 |"
    rows = {name: [_row(t.see_zh or t.see, *t.zh, t) for t in section] for name, section in SECTIONS.items()}
    return _page(_CHINESE, titles, 1, rows)


def _page(head: str, titles: str, language: int, rows: dict[str, list[str]]) -> str:
    parts = [_WRITTEN, head.rstrip("\n")]
    for name, lines in rows.items():
        parts.append(
            "\n".join([f"## {_TITLES[name][language]}", "", titles, "| --- | --- | --- | --- |", *lines])
        )
    return "\n\n".join(parts) + "\n"


def _row(see: str, means: str, do: str, trouble: Trouble) -> str:
    cells = " | ".join(text.replace("|", r"\|") for text in (see, means, do))
    mark = r" \*" if trouble.elsewhere else ""
    return f"| {cells} | `{trouble.check}`{mark} |"


def main() -> int:
    """Write both pages, or with --check only say which is stale (exit code 1)."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--check", action="store_true", help="change nothing; exit with 1 when a page is stale"
    )
    check = parser.parse_args().check
    pages = {
        ROOT / "docs/troubleshooting.md": english(),
        ROOT / "docs/zh/troubleshooting.md": chinese(),
    }
    stale = [
        path for path, text in pages.items() if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    for path in stale:
        print(f"{path.relative_to(ROOT)}: {'stale' if check else 'written'}")
        if not check:
            path.parent.mkdir(exist_ok=True)
            atomic_file.replace(path, pages[path].encode(), 0o644)
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
