"""The ways in which an operator's command can fail, and how each is told to a person.

ApplianceError              exit 1   something nobody foresaw
├── BadSetting              exit 2   a value in .env, the environment, the access directory or an option
├── HostNotReady            exit 3   the host lacks what the appliance needs; nothing was changed
├── StepFailed              exit 4   installing, building, starting or stopping did not work
└── ApplianceFailed         exit 5   it started, but the model or a service failed for good

Everything that goes wrong carries what was expected, what was found, and what to do. cli/run.py turns these
into text and an exit code, for every command in one place.
"""

from dataclasses import dataclass


class ApplianceError(Exception):
    """A failure with its remedy. ``details`` are lines of evidence, such as the end of a log.

    Only what nobody foresaw may leave ``expected`` empty.
    """

    exit_code = 1

    def __init__(
        self,
        title: str,
        *,
        expected: str,
        found: str,
        remedy: str,
        details: tuple[str, ...] = (),
    ) -> None:
        super().__init__(title)
        self.title = title
        self.expected = expected
        self.found = found
        self.remedy = remedy
        self.details = details


class BadSetting(ApplianceError):
    """A setting has a value that cannot work."""

    exit_code = 2


class HostNotReady(ApplianceError):
    """The host lacks something and no step may supply it. Raised before anything is changed."""

    exit_code = 3


class StepFailed(ApplianceError):
    """A step that acts on the host did not succeed."""

    exit_code = 4


class ApplianceFailed(ApplianceError):
    """The appliance came up far enough to say that it cannot go on."""

    exit_code = 5


@dataclass(frozen=True)
class StatusExit:
    """Exit codes of ``appliance status``: scripts can wait for 0."""

    ready: int = 0
    failed: int = 5
    starting: int = 6
    stopped: int = 7


STATUS_EXIT = StatusExit()


def render(error: ApplianceError) -> list[str]:
    """The lines that a person reads: title, evidence, expected, found, what to do. No markup, no colour."""
    lines = [f"✗ {error.title}"]
    lines += [f"    {line}" for line in error.details]
    for label, text in (("expected", error.expected), ("found", error.found), ("do", error.remedy)):
        for index, line in enumerate(text.splitlines()):
            lines.append(f"  {label if index == 0 else '':<9} {line}")
    return lines
