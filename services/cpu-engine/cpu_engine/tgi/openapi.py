"""The OpenAPI document of TGI's routes, in TGI's names. Written by hand beside the readers in `shapes`."""

from typing import Any

from cpu_engine.tgi.service import VERSION


def _object(required: tuple[str, ...], **properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": list(required), "properties": properties}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _or_null(kind: str, **limits: object) -> dict[str, Any]:
    return {"type": kind, "nullable": True, **limits}


_TEXT: dict[str, Any] = {"type": "string"}
_COUNT: dict[str, Any] = {"type": "integer", "minimum": 0}
_FLAG: dict[str, Any] = {"type": "boolean", "default": False}
_STOP = {**_list(_TEXT), "maxItems": 4}
_PROBABILITY = _or_null("number", minimum=0, exclusiveMinimum=True, maximum=1, exclusiveMaximum=True)
_POSITIVE = _or_null("number", minimum=0, exclusiveMinimum=True)
_FREQUENCY = _or_null("number", minimum=-2, maximum=2)
_SEED = _or_null("integer", format="int64", minimum=0)
_LIMIT = _or_null("integer", format="int32", minimum=1)

_SCHEMAS: dict[str, Any] = {
    "GrammarType": {
        "oneOf": [
            _object(
                ("type", "value"),
                type={"type": "string", "enum": ["json", "json_object"]},
                value={"description": "A JSON schema with properties."},
            ),
            _object(("type", "value"), type={"type": "string", "enum": ["regex"]}, value=_TEXT),
            _object(
                ("type", "value"),
                type={"type": "string", "enum": ["json_schema"]},
                value=_object(("schema",), name=_or_null("string"), schema={}),
            ),
        ]
    },
    "GenerateParameters": _object(
        (),
        best_of=_or_null("integer", minimum=1, maximum=2),
        temperature=_POSITIVE,
        repetition_penalty=_POSITIVE,
        frequency_penalty=_FREQUENCY,
        top_k=_or_null("integer", format="int32", minimum=1),
        top_p=_PROBABILITY,
        typical_p=_PROBABILITY,
        do_sample=_FLAG,
        max_new_tokens=_LIMIT,
        return_full_text=_or_null("boolean"),
        stop=_STOP,
        truncate=_or_null("integer", minimum=1),
        watermark=_FLAG,
        details=_FLAG,
        decoder_input_details=_FLAG,
        seed=_SEED,
        top_n_tokens=_or_null("integer", format="int32", minimum=0, maximum=5),
        grammar={"allOf": [_ref("GrammarType")], "nullable": True},
        adapter_id=_or_null("string"),
    ),
    "GenerateRequest": _object(("inputs",), inputs=_TEXT, parameters=_ref("GenerateParameters")),
    "CompatGenerateRequest": _object(
        ("inputs",), inputs=_TEXT, parameters=_ref("GenerateParameters"), stream=_FLAG
    ),
    "Message": _object(
        ("role",),
        role=_TEXT,
        name=_or_null("string"),
        content={"oneOf": [_TEXT, _list({"type": "object"})], "nullable": True},
        tool_calls=_list(_ref("ToolCall")),
    ),
    "FunctionDefinition": _object(
        ("name", "arguments"), description=_or_null("string"), name=_TEXT, arguments={}
    ),
    "Tool": _object(("type", "function"), type=_TEXT, function=_ref("FunctionDefinition")),
    "ToolCall": _object(
        ("id", "type", "function"), id=_TEXT, type=_TEXT, function=_ref("FunctionDefinition")
    ),
    "ChatRequest": _object(
        ("messages",),
        model=_or_null("string"),
        messages=_list(_ref("Message")),
        frequency_penalty=_FREQUENCY,
        logit_bias={**_list({"type": "number"}), "nullable": True, "description": "Not used."},
        logprobs=_or_null("boolean"),
        top_logprobs=_or_null("integer", minimum=0, maximum=5),
        max_tokens=_LIMIT,
        n=_or_null("integer", description="Not used."),
        presence_penalty=_or_null("number", description="The repetition penalty less 2."),
        stop={**_STOP, "nullable": True},
        stream=_FLAG,
        seed=_SEED,
        temperature=_or_null("number", minimum=0),
        top_p=_PROBABILITY,
        tools={**_list(_ref("Tool")), "nullable": True},
        tool_prompt=_or_null("string"),
        tool_choice={"oneOf": [_TEXT, {"type": "object"}], "nullable": True, "default": "auto"},
        response_format={"allOf": [_ref("GrammarType")], "nullable": True},
        stream_options=_object((), include_usage=_FLAG),
    ),
    "CompletionRequest": _object(
        ("prompt",),
        model=_or_null("string"),
        prompt={"oneOf": [_TEXT, {**_list(_TEXT), "minItems": 1, "maxItems": 4}]},
        max_tokens=_LIMIT,
        temperature=_or_null("number", minimum=0),
        top_p=_PROBABILITY,
        stream=_FLAG,
        seed=_SEED,
        suffix=_or_null("string", description="Refused."),
        repetition_penalty=_POSITIVE,
        frequency_penalty=_FREQUENCY,
        stop={**_STOP, "nullable": True},
    ),
    "SagemakerRequest": {
        "oneOf": [_ref("CompatGenerateRequest"), _ref("ChatRequest"), _ref("CompletionRequest")]
    },
    "VertexRequest": _object(
        ("instances",),
        instances=_list({"oneOf": [_ref("GenerateRequest"), _ref("ChatRequest")]}),
    ),
    "ErrorResponse": _object(("error", "error_type"), error=_TEXT, error_type=_TEXT),
}


def _answers(*kinds: str) -> dict[str, Any]:
    return {"description": "Success", "content": {kind: {"schema": {}} for kind in kinds}}


def _error(text: str) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": _ref("ErrorResponse")}}}


def _get(summary: str, *kinds: str) -> dict[str, Any]:
    return {"get": {"summary": summary, "responses": {"200": _answers(*kinds)}}}


def _post(summary: str, request: str, *kinds: str) -> dict[str, Any]:
    body = {"content": {"application/json": {"schema": _ref(request)}}, "required": True}
    responses = {
        "200": _answers(*(kinds or ("application/json",))),
        "422": _error("Input validation error"),
        "424": _error("Generation Error"),
        "429": _error("Model is overloaded"),
        "500": _error("Incomplete generation"),
    }
    return {"post": {"summary": summary, "requestBody": body, "responses": responses}}


_JSON, _EVENTS = "application/json", "text/event-stream"

DOCUMENT: dict[str, Any] = {
    "openapi": "3.0.3",
    "info": {
        "title": "Text Generation Inference",
        "description": "Text Generation Webserver",
        "contact": {"name": "Olivier Dehaene"},
        "license": {"name": "Apache 2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        "version": VERSION,
    },
    "paths": {
        "/": _post("Generate tokens, as a stream if asked for", "CompatGenerateRequest", _JSON, _EVENTS),
        "/generate": _post("Generate tokens", "GenerateRequest"),
        "/generate_stream": _post("Generate a stream of tokens", "GenerateRequest", _EVENTS),
        "/v1/chat/completions": _post("Answer a conversation", "ChatRequest", _JSON, _EVENTS),
        "/v1/completions": _post("Continue one or several prompts", "CompletionRequest", _JSON, _EVENTS),
        "/invocations": _post("Whichever route the body is for", "SagemakerRequest", _JSON, _EVENTS),
        "/vertex": _post("A text for each instance", "VertexRequest"),
        "/tokenize": _post("Tokens of a prompt", "GenerateRequest"),
        "/chat_tokenize": _post("Tokens of a conversation, and its text", "ChatRequest"),
        "/health": _get("Whether the engine works"),
        "/info": _get("The model and its limits", _JSON),
        "/v1/models": _get("The models", _JSON),
        "/metrics": _get("Prometheus metrics", "text/plain"),
    },
    "components": {"schemas": _SCHEMAS},
}
