"""Has systemd's timer, where it is installed, heal the appliance from the running release's folder."""

import os

from appliance_cli.base.output import Output
from appliance_cli.config.appliance import Appliance
from appliance_cli.host import service_unit


def follow(appliance: Appliance, output: Output) -> None:
    """Write the units anew where there are some: another folder's `heal` would start its own release."""
    if not any((service_unit.FOLDER / file).exists() for file in service_unit.units(appliance)):
        return
    if os.geteuid() == 0:
        service_unit.install(appliance)
        output.item("ok", f"{service_unit.name_of(appliance)}.timer heals from {appliance.root}")
    else:
        again = f"sudo {appliance.command('service install')}"
        output.item("warn", "systemd's timer still heals from the other folder", again)
