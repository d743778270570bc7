"""Every known way in which this set-up fails, by its check's name, as in docs/troubleshooting.md."""

from appliance_cli.doctor.troubles.engine import ENGINE
from appliance_cli.doctor.troubles.gpu import GPU
from appliance_cli.doctor.troubles.host import HOST
from appliance_cli.doctor.troubles.model import MODEL
from appliance_cli.doctor.troubles.running import RUNNING
from appliance_cli.doctor.troubles.trouble import Trouble

SECTIONS = {"host": HOST, "gpu": GPU, "model": MODEL, "engine": ENGINE, "running": RUNNING}
TROUBLES = {trouble.check: trouble for section in SECTIONS.values() for trouble in section}

__all__ = ["SECTIONS", "TROUBLES", "Trouble"]
