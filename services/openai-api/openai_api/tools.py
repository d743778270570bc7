"""Tools and the choice among them, from OpenAI's form to TGI's.

TGI copies a function's `properties` into a schema of its own: what they refer to must stand in them.
"""

from __future__ import annotations

from typing import Any

from openai_api import checks
from openai_api.checks import Json, invalid, unsupported, wrong_type
from openai_api.errors import BadRequest, SchemaTooLarge
from openai_api.json_grammar import check_schema

MOST_NODES = 10_000
"""Values in a function's schema once its references are written out."""
MOST_DEPTH = 64


def tools(fields: Json) -> Json:
    """The engine's `tools` and `tool_choice`; none where the model shall not call.

    Raises:
        BadRequest: with the place of what is wrong.
    """
    listed = checks.array(fields, "tools") or []
    offered = [_tool(tool, f"tools[{index}]") for index, tool in enumerate(listed)]
    names = [tool["function"]["name"] for tool in offered]
    choice = _choice(fields.get("tool_choice"), names)
    if not offered or choice == "none":
        return {}
    return {"tools": offered, "tool_choice": choice}


def _tool(value: Any, where: str) -> Json:
    tool = checks.as_object(value, where)
    if checks.needed_text(tool, "type", f"{where}.") != "function":
        raise unsupported(f"{where}.type", "expected function.")
    function = checks.mapping(tool, "function", f"{where}.")
    if function is None:
        raise BadRequest(f"Missing required parameter: '{where}.function'.", where, "missing_parameter")
    where = f"{where}.function"
    name = checks.needed_text(function, "name", f"{where}.")
    if not name or len(name) > 256:
        raise invalid(f"{where}.name", "expected 1 to 256 characters.")
    parameters = checks.mapping(function, "parameters", f"{where}.") or {}
    made: Json = {"name": name, "parameters": _written_out(parameters, f"{where}.parameters")}
    if description := checks.text(function, "description", f"{where}."):
        made["description"] = description
    return {"type": "function", "function": made}


def _choice(value: Any, names: list[str]) -> str | Json:
    if value is None:
        return "auto"
    if isinstance(value, str):
        if value in ("auto", "none") or (value == "required" and names):
            return value
        if value == "required":
            raise invalid("tool_choice", "required is only for requests with tools.")
        return _named(value, names, "tool_choice")
    if not isinstance(value, dict):
        raise wrong_type("tool_choice", "a string or an object", value)
    if value.get("type") != "function":
        raise unsupported("tool_choice.type", "expected function; send only the tools that are allowed.")
    function = checks.mapping(value, "function", "tool_choice.") or {}
    return _named(
        checks.needed_text(function, "name", "tool_choice.function."), names, "tool_choice.function.name"
    )


def _named(name: str, names: list[str], where: str) -> Json:
    if name not in names:
        raise invalid(where, "expected auto, none, required, or the name of one of the tools.")
    return {"type": "function", "function": {"name": name}}


def _written_out(parameters: Json, where: str) -> Json:
    """The schema with `$ref` replaced by what it refers to, which is bounded like a format's."""
    made = _References(parameters, where).resolve(parameters)
    made.pop("$defs", None)
    made.pop("definitions", None)
    made.setdefault("type", "object")
    if not isinstance(made.setdefault("properties", {}), dict):
        raise wrong_type(f"{where}.properties", "an object", made["properties"])
    if made["properties"]:
        try:
            check_schema(made)
        except BadRequest as refused:
            raise type(refused)(str(refused), where, refused.code) from None
    return dict(made)


class _References:
    """One schema whose references are being followed."""

    def __init__(self, root: Json, where: str) -> None:
        self._root = root
        self._where = where
        self._nodes = 0

    def resolve(self, value: Any, depth: int = 0) -> Any:
        self._nodes += 1
        if self._nodes > MOST_NODES or depth > MOST_DEPTH:
            raise SchemaTooLarge(
                f"Invalid value for '{self._where}': the schema is too large or refers to itself.",
                self._where,
            )
        if isinstance(value, list):
            return [self.resolve(one, depth + 1) for one in value]
        if not isinstance(value, dict):
            return value
        if isinstance(value.get("$ref"), str):
            beside = {key: one for key, one in value.items() if key != "$ref"}
            found = self.resolve(self._target(value["$ref"]), depth + 1)
            return {**found, **beside} if isinstance(found, dict) else found
        skipped = ("$defs", "definitions") if depth == 0 else ()
        return {key: self.resolve(one, depth + 1) for key, one in value.items() if key not in skipped}

    def _target(self, reference: str) -> Any:
        found: Any = self._root
        for part in reference.removeprefix("#").split("/")[1:]:
            part = part.replace("~1", "/").replace("~0", "~")
            found = found.get(part) if isinstance(found, dict) else None
        if found is None or not reference.startswith("#"):
            raise invalid(self._where, "it refers to something that is not in it.")
        return found
