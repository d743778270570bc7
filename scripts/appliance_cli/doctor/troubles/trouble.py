"""What one known way to fail looks like, what it means and what to do: a row of docs/troubleshooting.md."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Trouble:
    """``check``: the name that a Finding carries. ``zh``: ``means`` and ``do`` in Chinese, and ``see_zh``.

    ``log`` is a regular expression of lines of ``service``'s log that show it; without one it is looked for
    otherwise. ``generic``: its line follows others that say more. ``harmless``: it goes on, but worse.
    ``elsewhere``: doctor does not look for it, whoever meets it is told.
    """

    check: str
    see: str
    means: str
    do: str
    zh: tuple[str, str]
    see_zh: str = ""
    log: str = ""
    service: str = ""
    generic: bool = False
    harmless: bool = False
    elsewhere: bool = False
