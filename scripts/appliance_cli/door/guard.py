"""Nobody but this machine gets in unasked: what has to be there before the appliance is published."""

import os
from datetime import datetime

from appliance_cli.base.errors import BadSetting
from appliance_cli.base.output import Output
from appliance_cli.config.appliance import Appliance
from appliance_cli.door import access, keys, tls, users


def require_safe(appliance: Appliance, now: datetime) -> None:
    """Raise BadSetting, before anything is changed, when other machines could use the appliance unasked.

    On any address also for a damaged table of keys or users, an access directory that cannot be used, and
    TLS files that cannot serve.
    """
    folder = access.of(appliance)
    folder.require_usable()
    has_key = bool(keys.valid(keys.load(folder), now))
    has_people = bool(users.load(folder)) or appliance.sso_url is not None
    tls.require_usable(appliance, now)
    if appliance.loopback or (has_key and has_people):
        return
    wants = []
    if not has_key:
        wants.append(("API key that is valid", appliance.command("keys add NAME")))
    if not has_people:
        wants.append(("user", appliance.command("users add NAME")))
    raise BadSetting(
        "BIND_ADDRESS cannot be used yet: on this address everybody in the network could use the appliance",
        expected="a key for programs and a user (or SSO_URL) for people, or an address such as 127.0.0.1",
        found=f"BIND_ADDRESS={appliance.bind_address} with no {' and no '.join(what for what, _ in wants)}",
        remedy="\n".join(command for _, command in wants),
    )


def mend(appliance: Appliance, output: Output) -> None:
    """Have the access directory readable for nginx again, and say what had to be put right.

    Raises HostNotReady where only root, or another user, can do that.
    """
    changed = access.of(appliance).mend()
    if changed:
        output.item("ok", f"Owner or mode put right, so that nginx can read: {', '.join(changed)}")


def require_own_user(appliance: Appliance) -> None:
    """Raise BadSetting where nginx would run as somebody who cannot read what this user's commands write."""
    user = os.geteuid()
    if user in (0, appliance.owner.uid):
        return
    raise BadSetting(
        "nginx could not read keys, users and certificate",
        expected=f"APPLIANCE_USER={user}:{os.getegid()}, who owns {appliance.access_dir}",
        found=f"APPLIANCE_USER={appliance.owner.uid}:{appliance.owner.gid}",
        remedy=f"set APPLIANCE_USER={user}:{os.getegid()} in {appliance.env_file.name}, then run this again",
    )


def make_ready(appliance: Appliance, now: datetime, output: Output) -> None:
    """Have everything in the access directory that nginx starts with: sign-in files, the certificate."""
    require_own_user(appliance)
    folder = access.of(appliance)
    users.complete(folder)
    if appliance.tls.on:
        pair, changed = tls.install(appliance, folder, now)
        tls.tell(pair, changed=changed, now=now, output=output)
    elif not appliance.loopback:
        output.item(
            "warn",
            f"TLS is off on {appliance.bind_address}: keys, passwords and answers cross the network "
            "readable. Set TLS=self-signed or TLS=files in .env",
        )


def is_open_to_programs(appliance: Appliance) -> bool:
    """Whether the API asks nobody for a key."""
    return appliance.loopback and not keys.load(access.of(appliance))


def is_open_to_people(appliance: Appliance) -> bool:
    """Whether the page asks nobody to sign in."""
    return appliance.loopback and appliance.sso_url is None and not users.load(access.of(appliance))
