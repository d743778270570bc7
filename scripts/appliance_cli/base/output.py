"""What the operator sees: data on stdout; phases, progress and questions on stderr. Decides nothing."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, SpinnerColumn, TaskID, TextColumn
from rich.progress import Progress as RichProgress
from rich.status import Status

from appliance_cli.base.errors import HostNotReady

_IN_ASCII = str.maketrans(
    {"✓": "ok", "✗": "x", "…": "...", "·": "-", "→": "->", "×": "x", "’": "'", "≥": ">="}
)
MARKS = {"ok": "[green]✓[/]", "warn": "[yellow]![/]", "todo": "[cyan]+[/]", "fail": "[red]✗[/]"}


class Output:
    """Narrates one command. ``assume_yes`` answers every question; ``verbose`` shows what children print."""

    def __init__(self, *, verbose: bool = False, assume_yes: bool = False) -> None:
        self.verbose = verbose
        self.assume_yes = assume_yes
        self.err = Console(stderr=True, highlight=False)
        self._started = time.monotonic()

    @property
    def live(self) -> bool:
        """Whether stderr is a terminal, so that lines may be redrawn."""
        return self.err.is_terminal and not self.verbose

    @property
    def elapsed(self) -> float:
        """Seconds since this command began."""
        return time.monotonic() - self._started

    def data(self, text: str) -> None:
        """Print a result on stdout, without any decoration."""
        print(shown(text, sys.stdout.encoding), flush=True)

    def say(self, text: str) -> None:
        """Print one plain line."""
        self._print(escape(text))

    def phase(self, title: str) -> None:
        """Announce what happens next."""
        self._print(f"\n[bold]{escape(title)}[/]")

    def item(self, level: str, text: str, note: str = "") -> None:
        """Print one finding or finished step: ``level`` is a key of MARKS."""
        tail = f"  [dim]{escape(note)}[/]" if note else ""
        self._print(f"  {MARKS[level]} {escape(text)}{tail}")

    @contextmanager
    def step(self, title: str) -> Iterator["Step"]:
        """A piece of work: a spinner on a terminal, else a line at its start; its duration at its end."""
        step = Step(self, title)
        begun = time.monotonic()
        if self.live:
            with self.err.status(f"{escape(title)} …") as spinner:
                step.spinner = spinner
                yield step
        else:
            self._print(f"  · {escape(title)} …")
            yield step
        self.item("ok", step.title, duration(time.monotonic() - begun))

    def allow(self, question: str) -> bool:
        """Whether a harmless, announced action may go on: asks on a terminal, and goes on elsewhere."""
        if self.assume_yes or not self.can_ask:
            return True
        return self._ask(f"{question} [Y/n] ") not in ("n", "no")

    def confirm_loss(self, question: str) -> bool:
        """Whether data may be destroyed: default No; without a terminal only ``--yes`` allows it."""
        if self.assume_yes:
            return True
        if not self.can_ask:
            raise HostNotReady(
                "This deletes data and needs a person's consent",
                expected="--yes, or a terminal to ask on",
                found="no terminal",
                remedy="run it again with --yes if that is what you want",
            )
        return self.asks_no(question)

    @property
    def can_ask(self) -> bool:
        """Whether a person can answer."""
        return sys.stdin.isatty() and self.err.is_terminal

    def asks_no(self, question: str) -> bool:
        """Ask a person; whatever is not yes is no."""
        return self._ask(f"{question} [y/N] ") in ("y", "yes")

    def _print(self, markup: str, end: str = "\n") -> None:
        # why: a wrapped line could not be copied as one
        self.err.print(shown(markup, self.err.encoding), end=end, soft_wrap=True)

    def _ask(self, prompt: str) -> str:
        self._print(escape(prompt), end="")
        return sys.stdin.readline().strip().lower()


class Step:
    """Work in progress: ``title`` may be sharpened before it ends; ``update`` tells where it stands."""

    def __init__(self, output: Output, title: str) -> None:
        self.title = title
        self.spinner: Status | None = None
        self._output = output
        self._told = time.monotonic()

    def update(self, text: str) -> None:
        """Show a short state, unless it is empty: at once on a terminal, at most every 5 s elsewhere."""
        if not text:
            return
        if self.spinner is not None:
            self.spinner.update(f"{escape(self.title)} … [dim]{escape(text[:100])}[/]")
        elif self._output.verbose:
            self._output.say(f"    {text}")
        elif time.monotonic() - self._told >= 5:
            self._told = time.monotonic()
            self._output.say(f"    {text[:140]}")


def shown(text: str, encoding: str) -> str:
    """The text as a terminal of this encoding can show it, the marks in letters."""
    try:
        text.encode(encoding)
        return text
    except UnicodeEncodeError:
        return text.translate(_IN_ASCII).encode(encoding, "replace").decode(encoding)


def duration(seconds: float) -> str:
    """Seconds as people say them: ``8 s``, ``2 min 05 s``, ``1 h 03 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def size(count: float) -> str:
    """Bytes in the decimal units that disks and downloads are sold in: ``94.1 MB``, ``15.2 GB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


class Ticker:
    """Shows progress: a bar on a terminal; else a line at each new title and every 5 s meanwhile."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._title = ""
        self._detail = ""
        self._told = 0.0
        self._bar = RichProgress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TextColumn("[dim]{task.fields[detail]}[/]"),
            console=output.err,
            transient=True,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> "Ticker":
        if self._output.live:
            self._bar.start()
            self._task = self._bar.add_task("Starting", total=None, detail="")
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def show(self, title: str, detail: str = "", done: int | None = None, total: int | None = None) -> None:
        """Show where the work stands; ``total`` None means that nobody knows how much there is."""
        if self._task is not None:
            self._bar.update(
                self._task, description=escape(title), detail=escape(detail), completed=done or 0
            )
            self._bar.update(self._task, total=total)
        elif title != self._title or (detail != self._detail and time.monotonic() - self._told >= 5):
            self._told = time.monotonic()
            self._output.say(f"  · {title}{f': {detail}' if detail else ''}")
        self._title, self._detail = title, detail
