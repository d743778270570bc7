"""Tools and the choice among them, from OpenAI's form to TGI's.

TGI copies a function's `properties` into a schema of its own: what they refer to must stand in them.
"""

from __future__ import annotations

from typing import Any

from openai_api import checks
from openai_api.checks import Json, invalid, unsupported, wrong_type
from openai_api.errors import BadRequest, SchemaTooLarge
from openai_api.json_grammar import check_schema, check_tools

MOST_TOOLS = 128
"""OpenAI's own bound."""
_NAMED_BY = {"properties", "$ref", "allOf", "anyOf", "oneOf", "additionalProperties"}
"""A function whose schema has none of these takes no parameters."""


def tools(fields: Json) -> Json:
    """The engine's `tools` and `tool_choice`; none where the model shall not call.

    Raises:
        BadRequest: with the place of what is wrong.
    """
    listed = checks.array(fields, "tools") or []
    if len(listed) > MOST_TOOLS:
        raise invalid("tools", f"expected at most {MOST_TOOLS}, found {len(listed)}.")
    offered = [_tool(tool, f"tools[{index}]") for index, tool in enumerate(listed)]
    names = [tool["function"]["name"] for tool in offered]
    choice = _choice(fields.get("tool_choice"), names)
    if not offered or choice == "none":
        return {}
    wanted = [choice["function"]["name"]] if isinstance(choice, dict) else names
    functions = {tool["function"]["name"]: tool["function"]["parameters"] for tool in offered}
    try:
        check_tools({name: functions[name] for name in wanted})
    except SchemaTooLarge as refused:
        raise SchemaTooLarge(f"Invalid value for 'tools': {refused}", "tools") from None
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
    made: Json = {"name": name, "parameters": _parameters(parameters, f"{where}.parameters")}
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


def _parameters(told: Json, where: str) -> Json:
    """What the engine needs for the grammar, with the descriptions that the model reads."""
    if not _NAMED_BY & told.keys():
        return {"type": "object", "properties": {}}
    try:
        return check_schema(told, keep_descriptions=True)
    except BadRequest as refused:
        raise type(refused)(f"Invalid value for '{where}': {refused}", where, refused.code) from None
