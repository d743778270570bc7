"""The OpenAPI document of what the appliance's door serves to programs, in the names that requests use.

OpenAI's routes take what the table in `parameters` says; of TGI's routes the shapes stand here, what they
mean is TGI's own documentation.
"""

from __future__ import annotations

from collections.abc import Mapping

from openai_api.checks import Json
from openai_api.parameters import CHAT, COMPLETIONS, Fate, Parameter


def _list(items: Json, **more: object) -> Json:
    return {"type": "array", "items": items, **more}


def _object(*required: str, **properties: Json) -> Json:
    return {"type": "object", "required": list(required), "properties": properties}


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(schema: Json) -> Json:
    return {"application/json": {"schema": schema}}


_TEXT: Json = {"type": "string"}
_FLAG: Json = {"type": "boolean"}
_COUNT: Json = {"type": "integer", "minimum": 1}
_FREE: Json = {"type": "object"}
_TEXT_OR_TEXTS: Json = {"anyOf": [_TEXT, _list(_TEXT, maxItems=4)]}

SHAPES: Mapping[str, Json] = {
    "messages": _list(
        _object(
            "role",
            role={"type": "string", "enum": ["developer", "system", "user", "assistant", "tool"]},
            content={"anyOf": [_TEXT, _list(_object("type", type={"const": "text"}, text=_TEXT))]},
            tool_calls=_list(_FREE),
            tool_call_id=_TEXT,
        ),
        minItems=1,
    ),
    "prompt": _TEXT_OR_TEXTS,
    "model": _TEXT,
    "max_tokens": _COUNT,
    "max_completion_tokens": _COUNT,
    "temperature": {"type": "number", "minimum": 0, "maximum": 2},
    "top_p": {"type": "number", "minimum": 0, "maximum": 1},
    "frequency_penalty": {"type": "number", "minimum": -2, "maximum": 2},
    "repetition_penalty": {"type": "number", "minimum": 0.01, "maximum": 10},
    "seed": {"type": "integer"},
    "stop": _TEXT_OR_TEXTS,
    "stream": _FLAG,
    "stream_options": _object(include_usage=_FLAG),
    "logprobs": _FLAG,
    "top_logprobs": {"type": "integer", "minimum": 0, "maximum": 5},
    "response_format": {
        "anyOf": [
            _object("type", type={"type": "string", "enum": ["text", "json_object"]}),
            _object(
                "type",
                "json_schema",
                type={"const": "json_schema"},
                json_schema=_object("schema", name=_TEXT, schema=_FREE, strict=_FLAG),
            ),
        ]
    },
    "tools": _list(
        _object(
            "type",
            "function",
            type={"const": "function"},
            function=_object("name", name=_TEXT, description=_TEXT, parameters=_FREE),
        )
    ),
    "tool_choice": {
        "anyOf": [
            {"type": "string", "enum": ["auto", "none", "required"]},
            _object("type", "function", type={"const": "function"}, function=_object("name", name=_TEXT)),
        ]
    },
    "echo": _FLAG,
}
"""What a field that is obeyed or changed may be; one that is ignored may be anything."""

_GENERATE = _object(
    "inputs",
    inputs=_TEXT,
    parameters=_object(
        adapter_id=_TEXT,
        best_of={"type": "integer", "minimum": 1, "maximum": 2},
        decoder_input_details=_FLAG,
        details=_FLAG,
        do_sample=_FLAG,
        frequency_penalty={"type": "number", "minimum": -2, "maximum": 2},
        grammar=_object("type", "value", type={"enum": ["json", "json_schema", "regex"]}, value={}),
        max_new_tokens=_COUNT,
        repetition_penalty={"type": "number", "exclusiveMinimum": 0},
        return_full_text=_FLAG,
        seed={"type": "integer", "minimum": 0},
        stop=_list(_TEXT, maxItems=4),
        temperature={"type": "number", "exclusiveMinimum": 0},
        top_k=_COUNT,
        top_n_tokens={"type": "integer", "minimum": 0, "maximum": 5},
        top_p={"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
        truncate=_COUNT,
        typical_p={"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
        watermark=_FLAG,
    ),
)
_STREAM: Json = {"text/event-stream": {"schema": _TEXT}}
_MODEL = _object(
    "id", "object", id=_TEXT, object={"const": "model"}, created={"type": "integer"}, owned_by=_TEXT
)
_REFUSALS = {
    "400": "The request has to be changed: the message names the field and says how.",
    "401": "A valid API key is needed.",
    "404": "No such route or model.",
    "413": "The request has too many bytes.",
    "429": "A limit of this key is reached, or the engine is full: Retry-After says when to ask again.",
    "500": "The engine failed over this request.",
    "503": "The model is not ready yet, or the engine is away: Retry-After says when to ask again.",
}


def document(version: str) -> Json:
    """GET /openapi.json; `version` is the appliance's."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Qwen TGI appliance",
            "version": version,
            "description": "A private model behind OpenAI's API and TGI's own, at one address.",
        },
        "security": [{"key": []}, {}],
        "paths": {
            "/v1/chat/completions": _openai("Answer a conversation", "ChatRequest"),
            "/v1/completions": _openai("Continue a text", "CompletionRequest"),
            "/v1/models": _get("The model", _object("data", object=_TEXT, data=_list(_ref("Model")))),
            "/v1/models/{model}": {
                "parameters": [{"name": "model", "in": "path", "required": True, "schema": _TEXT}],
                **_get("The model, by its name", _ref("Model")),
            },
            "/generate": _tgi("Continue a prompt (TGI)", "GenerateRequest", _object(generated_text=_TEXT)),
            "/generate_stream": _tgi("The same, token by token (TGI)", "GenerateRequest", None),
            "/tokenize": _tgi("The tokens of a prompt (TGI)", "GenerateRequest", _list(_FREE)),
            "/chat_tokenize": _tgi("The tokens of a conversation (TGI)", "ChatRequest", _FREE),
            "/info": _get("The engine's limits (TGI)", _FREE),
            "/health": _get("Whether the engine is ready; needs no key", None),
            "/status": _get("Where the appliance stands; needs no key", _FREE),
        },
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "schemas": {
                "ChatRequest": _request("messages", CHAT),
                "CompletionRequest": _request("prompt", COMPLETIONS),
                "GenerateRequest": _GENERATE,
                "Model": _MODEL,
                "Error": _object(
                    "error", error=_object("message", message=_TEXT, type=_TEXT, param=_TEXT, code=_TEXT)
                ),
            },
        },
    }


def _request(required: str, table: Mapping[str, Parameter]) -> Json:
    """What a route takes; a refused field stands there with the values that ask for nothing."""
    properties = {}
    for name, parameter in table.items():
        if parameter.fate is Fate.REFUSED:
            if parameter.neutral:
                properties[name] = {"enum": list(parameter.neutral), "description": parameter.note}
            continue
        shape = {} if parameter.fate is Fate.IGNORED else SHAPES[name]
        properties[name] = {**shape, "description": described(parameter)}
    return {"type": "object", "required": [required], "properties": properties, "additionalProperties": False}


def described(parameter: Parameter) -> str:
    """A row's sentence, with what becomes of the field before it where that is not said yet."""
    if parameter.fate is Fate.IGNORED:
        return f"Ignored. {parameter.note}".strip()
    return parameter.note


def _openai(summary: str, request: str) -> Json:
    refused = {
        status: {"description": why, "content": _json(_ref("Error"))} for status, why in _REFUSALS.items()
    }
    answered = {
        "description": "The answer; with stream: true an event stream.",
        "content": {**_json(_FREE), **_STREAM},
    }
    return _post(summary, request, {"200": answered, **refused})


def _tgi(summary: str, request: str, answer: Json | None) -> Json:
    content = _STREAM if answer is None else _json(answer)
    return _post(summary, request, {"200": {"description": "TGI's own answer.", "content": content}})


def _post(summary: str, request: str, responses: Json) -> Json:
    body = {"required": True, "content": _json(_ref(request))}
    return {"post": {"summary": summary, "requestBody": body, "responses": responses}}


def _get(summary: str, answer: Json | None) -> Json:
    content = {} if answer is None else {"content": _json(answer)}
    return {"get": {"summary": summary, "responses": {"200": {"description": "OK", **content}}}}
