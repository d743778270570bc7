"""The chat's JSON body to a typed request: messages, tools, the choice among them.

Owns TGI's ChatRequest. What tools mean is `tools`' business, what a value may be `validation`'s.
"""

from dataclasses import dataclass
from typing import Any

import orjson

from cpu_engine.engine import Message
from cpu_engine.tgi.json_reader import JsonReader
from cpu_engine.tgi.refused import Refused
from cpu_engine.tgi.serde import (
    Field,
    anything,
    array,
    boolean,
    f32,
    fields,
    optional,
    read_body,
    string,
    u32,
    u64,
    untagged,
)
from cpu_engine.tgi.shapes import Parameters, grammar, openai_parameters


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model may call; `arguments` is the JSON schema of what it takes."""

    name: str
    description: str | None
    arguments: Any


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """Which tool: `kind` is auto, none, required or function; then `name` says which."""

    kind: str = "auto"
    name: str = ""


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """TGI's ChatRequest. `tools` is None where there are none; an empty list is something else to TGI."""

    model: str | None
    messages: tuple[Message, ...]
    parameters: Parameters
    stream: bool
    include_usage: bool
    logprobs: bool
    tools: tuple[Tool, ...] | None
    tool_choice: ToolChoice
    tool_prompt: str | None


def _tool_type(json: JsonReader) -> str:
    if json.peek() != b'"' or (kind := json.string()) != "function":
        raise json.data_error("unknown variant, expected `function`")
    return kind


def _null(json: JsonReader) -> None:
    if json.peek() != b"n":
        raise json.data_error("expected null")
    json.word(b"null")


def _chunk(json: JsonReader) -> str:
    """Text of a content part; an image is told to the model as the link that it is."""
    part: dict[str, Any] = _CHUNK(json)
    if part["type"] == "text" and part["text"] is not None:
        return str(part["text"])
    if part["type"] == "image_url" and part["image_url"] is not None:
        return f"![]({part['image_url']['url']})"
    raise json.data_error("unknown part")


_FUNCTION = fields(
    "FunctionDefinition",
    optional("description", string),
    Field("name", string),
    Field("arguments", anything, aliases=("parameters",)),
)
_TOOL = fields("Tool", Field("type", string), Field("function", _FUNCTION))
_TOOL_CALL = fields("ToolCall", Field("id", string), Field("type", string), Field("function", _FUNCTION))
_NAMED = fields(
    "ToolType",
    Field("type", _tool_type),
    Field("function", fields("FunctionName", Field("name", string))),
    is_map=True,
)
_TOOL_CHOICE = untagged("ToolTypeDeserializer", _null, string, _NAMED)
_CHUNK = fields(
    "MessageChunk",
    Field("type", string),
    optional("text", string),
    optional("image_url", fields("Url", Field("url", string))),
    is_map=True,
)
_CONTENT = fields(
    "MessageBody",
    Field("content", untagged("MessageContent", string, array(_chunk))),
    is_map=True,
)
_CALLS = fields("MessageBody", Field("tool_calls", array(_TOOL_CALL)), is_map=True)
_BODY = untagged("MessageBody", _CONTENT, _CALLS)


def _message(json: JsonReader) -> Message:
    """TGI flattens the body into the message: it is looked at once all of it was read."""
    json.peek()
    start = json.at
    head: dict[str, Any] = _HEAD(json)
    body: dict[str, Any] = _flattened(json, start)
    if "content" in body:
        content = body["content"]
        return Message(head["role"], content if isinstance(content, str) else "".join(content))
    calls = [
        {
            "id": call["id"],
            "type": call["type"],
            "function": function_json(Tool(**call["function"])),
        }
        for call in body["tool_calls"]
    ]
    return Message(head["role"], orjson.dumps(calls).decode())


def _flattened(json: JsonReader, start: int) -> dict[str, Any]:
    inner = JsonReader(json.data[start : json.at], json.path)
    try:
        found: dict[str, Any] = _BODY(inner)
    except Refused:
        raise json.data_error("data did not match any variant of untagged enum MessageBody") from None
    return found


_HEAD = fields("Message", optional("name", string), Field("role", string), is_map=True)

CHAT_REQUEST = fields(
    "ChatRequest",
    optional("model", string),
    Field("messages", array(_message)),
    optional("frequency_penalty", f32),
    optional("logit_bias", array(f32)),
    optional("logprobs", boolean),
    optional("top_logprobs", u32),
    optional("max_tokens", u32, "max_completion_tokens"),
    optional("n", u32),
    optional("presence_penalty", f32),
    optional("stop", array(string)),
    Field("stream", boolean, False),
    optional("seed", u64),
    optional("temperature", f32),
    optional("top_p", f32),
    optional("tools", array(_TOOL)),
    optional("tool_prompt", string),
    Field("tool_choice", _TOOL_CHOICE, None),
    optional("response_format", grammar),
    Field(
        "stream_options",
        fields("StreamOptions", Field("include_usage", boolean, False)),
        {"include_usage": False},
    ),
)


def chat_request(body: bytes) -> ChatRequest:
    """Read the body of /v1/chat/completions and /chat_tokenize.

    Raises:
        BodyError: 400 or 422.
    """
    return chat(read_body(body, CHAT_REQUEST))


def chat(found: dict[str, Any]) -> ChatRequest:
    """What `CHAT_REQUEST` has read.

    `presence_penalty` becomes a repetition penalty two higher, which is TGI's doing; `n` and `logit_bias`
    must have the right type and are then ignored, as in TGI.
    """
    presence_penalty = found["presence_penalty"]
    return ChatRequest(
        model=found["model"],
        messages=found["messages"],
        parameters=openai_parameters(
            found,
            repetition_penalty=None if presence_penalty is None else presence_penalty + 2.0,
            top_n_tokens=found["top_logprobs"],
            grammar=found["response_format"],
        ),
        stream=found["stream"],
        include_usage=found["stream_options"]["include_usage"],
        logprobs=found["logprobs"] or False,
        tools=None if found["tools"] is None else tuple(Tool(**tool["function"]) for tool in found["tools"]),
        tool_choice=_chosen(found["tool_choice"]),
        tool_prompt=found["tool_prompt"] or None,
    )


def _chosen(value: Any) -> ToolChoice:
    if value is None:
        return ToolChoice()
    if isinstance(value, dict):
        return ToolChoice("function", value["function"]["name"])
    return ToolChoice(value) if value in ("auto", "none", "required") else ToolChoice("function", value)


def function_json(tool: Tool) -> dict[str, object]:
    """A function as TGI tells a model of it: what it takes is JSON inside JSON."""
    return {
        "description": tool.description,
        "name": tool.name,
        "arguments": orjson.dumps(tool.arguments).decode(),
    }
