"""One command at a time changes an appliance: two of them would make its networks and containers twice.

One at a time measures it, too; it may be changed meanwhile.
The lock is a file that the kernel frees with its holder, whatever ends that. It says who holds it.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from appliance_cli.base.errors import HostNotReady
from appliance_cli.config.appliance import Appliance


@contextmanager
def alone(appliance: Appliance, command: str, *, to_be: str = "changed") -> Iterator[None]:
    """Hold the appliance while ``command`` changes it, or while it is ``to_be`` something else.

    Raises HostNotReady when another command does the same, with its process and since when.
    """
    appliance.logs.mkdir(parents=True, exist_ok=True)
    path = appliance.logs / f"{appliance.project}{'' if to_be == 'changed' else f'.{to_be}'}.lock"
    with path.open("a+", encoding="utf-8") as file:
        if os.geteuid() == 0:
            # why: systemd has root heal; whose folder it is goes on holding the appliance
            owner = appliance.logs.stat()
            os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "another command"
            raise HostNotReady(
                f"{appliance.project} is being {to_be} by another command; nothing was done",
                expected="one command at a time",
                found=holder,
                remedy="wait until that has ended, or end it; where it stands: ./scripts/appliance status",
            ) from None
        file.truncate(0)
        file.write(f"{command} (process {os.getpid()}, since {datetime.now():%H:%M:%S})\n")
        file.flush()
        yield
