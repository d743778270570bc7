"""Nobody but this machine gets in unasked: what has to be there before the appliance is published."""

from datetime import datetime

from appliance_cli.base.errors import BadSetting
from appliance_cli.base.output import Output
from appliance_cli.config.appliance import Settings
from appliance_cli.door import access, keys, tls, users


def require_safe(settings: Settings, now: datetime) -> None:
    """Raise BadSetting, before anything is changed, when other machines could use the appliance unasked.

    On any address also for a damaged table of keys or users, an access directory that cannot be used, and
    TLS files that cannot serve.
    """
    folder = access.of(settings)
    folder.require_usable()
    has_key = bool(keys.valid(keys.load(folder), now))
    has_people = bool(users.load(folder)) or settings.sso_url is not None
    tls.require_usable(settings, now)
    if settings.loopback or (has_key and has_people):
        return
    wants = []
    if not has_key:
        wants.append(("API key that is valid", settings.command("keys add NAME")))
    if not has_people:
        wants.append(("user", settings.command("users add NAME")))
    raise BadSetting(
        "BIND_ADDRESS cannot be used yet: on this address everybody in the network could use the appliance",
        expected="a key for programs and a user (or SSO_URL) for people, or an address such as 127.0.0.1",
        found=f"BIND_ADDRESS={settings.bind_address} with no {' and no '.join(what for what, _ in wants)}",
        remedy="\n".join(command for _, command in wants),
    )


def make_ready(settings: Settings, now: datetime, output: Output) -> None:
    """Have everything in the access directory that nginx starts with: sign-in files, the certificate."""
    folder = access.of(settings)
    users.complete(folder)
    if settings.tls.on:
        pair, changed = tls.install(settings, folder, now)
        tls.tell(pair, changed=changed, now=now, output=output)
    elif not settings.loopback:
        output.item(
            "warn",
            f"TLS is off on {settings.bind_address}: keys, passwords and answers cross the network readable. "
            "Set TLS=self-signed or TLS=files in .env",
        )


def is_open_to_programs(settings: Settings) -> bool:
    """Whether the API asks nobody for a key."""
    return settings.loopback and not keys.load(access.of(settings))


def is_open_to_people(settings: Settings) -> bool:
    """Whether the page asks nobody to sign in."""
    return settings.loopback and settings.sso_url is None and not users.load(access.of(settings))
