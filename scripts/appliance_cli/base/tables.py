"""Tables as plain text, for people to read and scripts to grep."""

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table


def table(titles: Iterable[str], rows: Iterable[Iterable[str]], *, numbers: Iterable[str] = ()) -> str:
    """Plain text in columns, as wide as it needs to be; the columns in ``numbers`` end at the right."""
    view = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    right = set(numbers)
    for title in titles:
        view.add_column(title, no_wrap=True, justify="right" if title in right else "left")
    for row in rows:
        view.add_row(*row)
    console = Console(width=400, color_system=None, markup=False, emoji=False, highlight=False)
    with console.capture() as captured:
        console.print(view)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())
