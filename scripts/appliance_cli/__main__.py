"""Entry point of ``python -m appliance_cli``; scripts/appliance calls it."""

from appliance_cli.cli.app import app

app(prog_name="appliance")
