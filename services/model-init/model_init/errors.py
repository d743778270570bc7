"""Everything that model-init can fail with.

Each class carries `code` (for status.json) and `exit_code` (for Compose and scripts). Messages are one line
for people: what was expected, what was found, what to do. `__main__` is the only place that turns them into
an exit.

    ModelInitError            1   internal
    ├── SettingsError         2   bad_settings
    ├── NoDiskSpace          10   no_disk_space
    ├── ModelNotFound        11   model_not_found
    ├── GatedModel           12   gated
    ├── NoNetwork            13   no_network
    ├── CorruptDownload      14   corrupt
    ├── InvalidModel         15   invalid_model
    ├── DiskFailure          16   disk_failure
    └── Interrupted         143   internal

`TransientError` and its kinds stand beside the tree: sources raise them between two tries, and they never
reach the edge.
"""

from __future__ import annotations


class ModelInitError(Exception):
    """A failure that a person can read; the base of all others."""

    code = "internal"
    exit_code = 1


class SettingsError(ModelInitError):
    """A variable of the environment, or the volume that it names, can't be used."""

    code = "bad_settings"
    exit_code = 2


class NoDiskSpace(ModelInitError):
    """The models volume can't hold what is still to fetch."""

    code = "no_disk_space"
    exit_code = 10


class ModelNotFound(ModelInitError):
    """The source knows no such model, revision or file."""

    code = "model_not_found"
    exit_code = 11


class GatedModel(ModelInitError):
    """The source knows the model but does not give it to us: licence not accepted, or no valid token."""

    code = "gated"
    exit_code = 12


class NoNetwork(ModelInitError):
    """The source can't be reached, or stopped answering, and trying again did not help."""

    code = "no_network"
    exit_code = 13


class CorruptDownload(ModelInitError):
    """A file was fetched several times and never had its expected size and digest."""

    code = "corrupt"
    exit_code = 14


class InvalidModel(ModelInitError):
    """The bytes are what the source promised, but no engine can load them (or they have no place here)."""

    code = "invalid_model"
    exit_code = 15


class DiskFailure(ModelInitError):
    """The models volume or the folder that is read gave an error that is no matter of space or rights."""

    code = "disk_failure"
    exit_code = 16


class Interrupted(ModelInitError):
    """SIGTERM or SIGINT: someone stopped us. What is on disk stays for the next start."""

    exit_code = 143


class TransientError(Exception):
    """One try failed in a way that the next may not.

    Args:
        reason: what happened, for people.
        retry_after_s: how long the source asked us to wait, in seconds.
    """

    def __init__(self, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class ShortBody(TransientError):
    """The source ended its answer in good order, but before the file's expected size."""


class OtherFile(TransientError):
    """Size or digest that the source states before the body are not the listed file's."""


class Unreachable(TransientError):
    """The source could not be reached, or sent nothing for too long: other files need not ask it at once."""


class NoParts(TransientError):
    """The source gives a file only from its first byte on: of no use while others bring it."""
