"""Tools by TGI's rules: what the model is told, what it must write, what its text means.

A grammar forces `{"function": {"_name": …, arguments}}`. With the choice left to the model there is one tool
more, `no_tool`; a model that picks it is asked again, without tools (by `chat`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from cpu_engine.engine import Message
from cpu_engine.tgi.chat_shapes import ChatRequest, Tool, function_json
from cpu_engine.tgi.errors import ToolError
from cpu_engine.tgi.json_reader import JsonReader
from cpu_engine.tgi.refused import Refused
from cpu_engine.tgi.serde import Field, anything, fields, quoted
from cpu_engine.tgi.shapes import Grammar

NO_TOOL = "no_tool"
DEFAULT_PROMPT = (
    "\nGiven the functions available, please respond with a JSON for a function call with its proper "
    "arguments that best answers the given prompt. Respond in the format {name: function name, parameters: "
    "dictionary of argument name and its value}.Do not use variables.\n"
)
_NO_TOOL = Tool(NO_TOOL, "Open ended response with no specific tool selected", {"type": "object"})


@dataclass(frozen=True, slots=True)
class Call:
    """What the model wrote: the tool's name, and its arguments as JSON."""

    name: str
    arguments: dict[str, Any]


def offered(asked: ChatRequest) -> tuple[Tool, ...]:
    """The tools that the model may choose among; none when there are none for it.

    Raises:
        ToolError: the wanted one is not among them, or a grammar is asked for too.
    """
    if asked.tools is None:
        return ()
    if asked.parameters.grammar is not None:
        raise ToolError("Grammar and tools are mutually exclusive")
    match asked.tool_choice.kind:
        case "none":
            return ()
        case "function":
            name = asked.tool_choice.name
            wanted = next((tool for tool in asked.tools if tool.name == name), None)
            if wanted is None:
                raise ToolError(f"Tool with name {name} not found")
            return (wanted,)
        case "required":
            return asked.tools
    return (*asked.tools, _NO_TOOL)


def grammar(tools: Sequence[Tool]) -> Grammar:
    """What the model must write to call one of `tools`."""
    functions = {tool.name: _function_schema(tool) for tool in tools}
    choices = [{"$ref": f"#/$functions/{tool.name}"} for tool in tools]
    return Grammar({"$functions": functions, "properties": {"function": {"anyOf": choices}}}, is_regex=False)


def told(
    messages: tuple[Message, ...], tools: Sequence[Tool], prompt: str | None, by_template: bool
) -> tuple[Message, ...]:
    """The conversation with the tools at its end; only the prompt where the model's template shows them."""
    if not messages:
        return messages
    *before, last = messages
    listed = "" if by_template else orjson.dumps([_tool_json(tool) for tool in tools]).decode() + "\n"
    return (*before, Message(last.role, f"{last.content}\n---\n{listed}{prompt or DEFAULT_PROMPT}"))


def parse_call(text: str) -> Call:
    """What the model has written.

    Raises:
        ToolError: it is not a call; the message says where, as serde_json does.
    """
    try:
        return _call(text)
    except Refused as refused:
        reason = refused.reason + refused.place(text.encode())
        raise ToolError(f"Failed to parse generated text: {reason} {quoted(text)}") from None


@dataclass(slots=True)
class CallStream:
    """A call that arrives token by token, by TGI's rules for when its parts are told.

    TGI parses all of the text again for every token. Here that waits until the text may have become what is
    looked for: its braces are counted as they come.

    Attributes:
        name: the tool's, once it is known.
    """

    name: str | None = None
    _text: str = ""
    _inside: bool = False
    _braces: "_Braces" = field(default_factory=lambda: _Braces())

    def push(self, text: str) -> tuple[str | None, str] | None:
        """Take a token: the function's name (once) and a part of its arguments, or None for nothing."""
        self._text += text
        self._braces.read(text)
        if self._inside:
            if self._braces.open or not _is_call(self._text):
                return None, text
            self._inside = False
            return None, text.rstrip().removesuffix("}")
        if self._braces.open > 2 or self._braces.in_string:
            return None
        begun = self._text.rstrip(" \n\r\t,}")
        if not _is_call(begun + "}}"):
            return None
        self.name, self._inside = _call(begun + "}}").name, True
        return self.name, "{"


@dataclass(slots=True)
class _Braces:
    """How many objects and lists a JSON text leaves open, and whether a string."""

    open: int = 0
    in_string: bool = False
    _escaped: bool = False

    def read(self, text: str) -> None:
        """Take what comes next of the text."""
        for char in text:
            if self._escaped:
                self._escaped = False
            elif self.in_string:
                self._escaped, self.in_string = char == "\\", char != '"'
            elif char == '"':
                self.in_string = True
            else:
                self.open += (char in "{[") - (char in "}]")


def _function_schema(tool: Tool) -> dict[str, Any]:
    properties: dict[str, Any] = {"_name": {"type": "string", "const": tool.name}}
    required = ["_name"]
    if isinstance(tool.arguments, dict):
        own = tool.arguments.get("properties")
        properties |= own if isinstance(own, dict) else {}
        needed = tool.arguments.get("required")
        required += needed if isinstance(needed, list) else []
    return {"description": tool.description or "", "properties": properties, "required": required}


def _tool_json(tool: Tool) -> dict[str, object]:
    return {"type": "function", "function": function_json(tool)}


def _is_call(text: str) -> bool:
    try:
        _call(text)
    except Refused:
        return False
    return True


def _call(text: str) -> Call:
    json = JsonReader(text.encode())
    function: dict[str, Any] = _CALL(json)["function"]
    if json.peek():
        raise json.syntax_error("trailing characters")
    return Call(function.pop("_name"), function)


def _function(json: JsonReader) -> dict[str, Any]:
    if json.peek() != b"{":
        raise json.data_error("invalid type, expected struct ToolCall")
    start = json.at
    found = dict(anything(json))
    if not isinstance(found.get("_name"), str):
        json.at = start
        fields("ToolCall", Field("_name", _name))(json)
    return found


def _name(json: JsonReader) -> str:
    raise json.data_error("invalid type, expected a string")


_CALL = fields("Call", Field("function", _function))
