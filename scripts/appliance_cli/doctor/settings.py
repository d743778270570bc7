"""Judges what .env says beside single values: names that nobody reads, a token that cannot be read, a model.

A single value that cannot work ends every command before it begins, and so is not looked for here.
"""

from pathlib import Path

from appliance_cli.base.errors import BadSetting
from appliance_cli.config import unknown_names
from appliance_cli.config.appliance import Appliance
from appliance_cli.config.values import Values
from appliance_cli.host.finding import Finding

CHECK = "settings"
_TOKEN = "HF_TOKEN_FILE"


def examine(appliance: Appliance, values: Values) -> list[Finding]:
    """What is wrong with .env, as `up` has it."""
    return [*_names(appliance), *_token(appliance, values)]


def refused(error: BadSetting) -> Finding:
    """A setting that the planner refuses."""
    return Finding("fail", f"{error}: {error.found}", error.expected, error.remedy, CHECK)


def token_file(appliance: Appliance, values: Values) -> Path | None:
    """The file of the Hub's token; a relative name is meant from the appliance's folder, as in Compose."""
    given = values.given(_TOKEN)
    return appliance.root / given if given else None


def _names(appliance: Appliance) -> list[Finding]:
    file = appliance.env_file.name
    return [
        Finding(
            "fail" if each.misspelt else "warn",
            each.said(file),
            "names that something reads",
            f"correct it in {file}, or remove the line",
            CHECK,
        )
        for each in unknown_names.find(appliance.root, appliance.env_file)
    ]


def _token(appliance: Appliance, values: Values) -> list[Finding]:
    path = token_file(appliance, values)
    try:
        if path is not None:
            path.read_bytes()
    except OSError as error:
        remedy = f"correct {_TOKEN} in .env, or the file's owner and mode"
        return [
            Finding("fail", f"{_TOKEN}: {path}: {error.strerror}", "a file that can be read", remedy, CHECK)
        ]
    return []
