"""JSON bodies to typed requests.

Owns the requests' shapes and TGI's defaults. Does not judge values: `validation` does. None stands for null
or absent.
"""

from dataclasses import dataclass

import orjson

from cpu_engine.engine import Message
from cpu_engine.tgi.fields import (
    Fields,
    boolean,
    f32,
    f32s,
    i32,
    sequence,
    string,
    strings,
    u32,
    u64,
    usize,
    wrong_shape,
    wrong_type,
)

GRAMMAR_TYPES = ("json", "json_object", "regex", "json_schema")


@dataclass(frozen=True, slots=True)
class Parameters:
    """TGI's GenerateParameters.

    `do_sample` is False by default: a `parameters` object without the key means greedy, a request without the
    object samples (`SAMPLED`). `grammar` tells only whether there is one.
    """

    best_of: int | None = None
    temperature: float | None = None
    repetition_penalty: float | None = None
    frequency_penalty: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    typical_p: float | None = None
    do_sample: bool = False
    max_new_tokens: int | None = None
    return_full_text: bool | None = None
    stop: tuple[str, ...] = ()
    truncate: int | None = None
    watermark: bool = False
    details: bool = False
    decoder_input_details: bool = False
    seed: int | None = None
    top_n_tokens: int | None = None
    grammar: bool = False
    adapter_id: str | None = None


SAMPLED = Parameters(do_sample=True)


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """A prompt and its parameters.

    Attributes:
        add_special_tokens: False when the chat template has already written them.
        has_images: the prompt came with images, which no model here understands.
        wants_tokens: somebody will look at token ids and log-probabilities.
    """

    inputs: str
    parameters: Parameters = SAMPLED
    add_special_tokens: bool = True
    has_images: bool = False
    wants_tokens: bool = True


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """TGI's ChatRequest. Of tools and response_format only the presence matters: neither is implemented."""

    messages: tuple[Message, ...]
    has_images: bool
    parameters: Parameters
    stream: bool
    include_usage: bool
    logprobs: bool
    uses_tools: bool
    has_tools_key: bool


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """TGI's CompletionRequest; `parameters` serve every prompt."""

    prompts: tuple[str, ...]
    parameters: Parameters
    stream: bool
    has_suffix: bool


def generate_request(value: object) -> GenerateRequest:
    """Read the body of /generate, /generate_stream, /tokenize and POST /.

    Raises:
        BodyError: 422, the shape is wrong (so do the other two readers).
    """
    fields = Fields(value, "GenerateRequest")
    inputs = fields.required("inputs", string)
    if "parameters" not in fields.values:
        return GenerateRequest(inputs)
    return GenerateRequest(
        inputs, _parameters(Fields(fields.values["parameters"], "GenerateParameters", "parameters"))
    )


def wants_stream(value: object) -> bool:
    """POST /'s own field `stream`."""
    return Fields(value, "CompatGenerateRequest").flag("stream")


def chat_request(value: object) -> ChatRequest:
    """Read the body of /v1/chat/completions and /chat_tokenize.

    `presence_penalty` becomes a repetition penalty two higher, which is TGI's doing; `n` and `logit_bias`
    must have the right type and are then ignored, as in TGI.
    """
    fields = Fields(value, "ChatRequest")
    messages = [
        _message(Fields(item, "Message", f"messages[{i}]"))
        for i, item in enumerate(fields.required("messages", sequence))
    ]
    fields.optional("model", string)
    fields.optional("logit_bias", f32s)
    fields.optional("n", u32)
    if "max_tokens" in fields.values and "max_completion_tokens" in fields.values:
        raise wrong_shape("", "duplicate field `max_tokens`")
    limit_key = "max_completion_tokens" if "max_completion_tokens" in fields.values else "max_tokens"
    presence_penalty = fields.optional("presence_penalty", f32)
    tools = fields.optional("tools", sequence)
    options = fields.values.get("stream_options")
    return ChatRequest(
        messages=tuple(message for message, _ in messages),
        has_images=any(has_images for _, has_images in messages),
        parameters=_openai_parameters(
            fields,
            max_new_tokens=fields.optional(limit_key, u32),
            repetition_penalty=None if presence_penalty is None else presence_penalty + 2.0,
            top_n_tokens=fields.optional("top_logprobs", u32),
            grammar=fields.optional("response_format", _grammar) or False,
        ),
        stream=fields.flag("stream"),
        include_usage=options is not None
        and Fields(options, "StreamOptions", "stream_options").flag("include_usage"),
        logprobs=fields.optional("logprobs", boolean) or False,
        uses_tools=bool(tools) and fields.values.get("tool_choice") != "none",
        has_tools_key=tools is not None,
    )


def completion_request(value: object) -> CompletionRequest:
    """Read the body of /v1/completions."""
    fields = Fields(value, "CompletionRequest")
    fields.optional("model", string)
    return CompletionRequest(
        prompts=fields.required("prompt", _prompts),
        parameters=_openai_parameters(
            fields,
            max_new_tokens=fields.optional("max_tokens", u32),
            repetition_penalty=fields.optional("repetition_penalty", f32),
        ),
        stream=fields.flag("stream"),
        has_suffix=fields.optional("suffix", string) is not None,
    )


def _parameters(fields: Fields) -> Parameters:
    return Parameters(
        best_of=fields.optional("best_of", usize),
        temperature=fields.optional("temperature", f32),
        repetition_penalty=fields.optional("repetition_penalty", f32),
        frequency_penalty=fields.optional("frequency_penalty", f32),
        top_k=fields.optional("top_k", i32),
        top_p=fields.optional("top_p", f32),
        typical_p=fields.optional("typical_p", f32),
        do_sample=fields.flag("do_sample"),
        max_new_tokens=fields.optional("max_new_tokens", u32),
        return_full_text=fields.optional("return_full_text", boolean),
        stop=strings(fields.values.get("stop", []), fields.at("stop")),
        truncate=fields.optional("truncate", usize),
        watermark=fields.flag("watermark"),
        details=fields.flag("details"),
        decoder_input_details=fields.flag("decoder_input_details"),
        seed=fields.optional("seed", u64),
        top_n_tokens=fields.optional("top_n_tokens", u32),
        grammar=fields.optional("grammar", _grammar) or False,
        adapter_id=fields.optional("adapter_id", string),
    )


def _openai_parameters(
    fields: Fields,
    *,
    max_new_tokens: int | None,
    repetition_penalty: float | None,
    top_n_tokens: int | None = None,
    grammar: bool = False,
) -> Parameters:
    """OpenAI's keys: sampling unless `temperature` is exactly 0, which means greedy."""
    temperature = fields.optional("temperature", f32)
    return Parameters(
        temperature=temperature or None,
        do_sample=temperature != 0.0,
        repetition_penalty=repetition_penalty,
        frequency_penalty=fields.optional("frequency_penalty", f32),
        top_p=fields.optional("top_p", f32),
        max_new_tokens=max_new_tokens,
        stop=fields.optional("stop", strings) or (),
        seed=fields.optional("seed", u64),
        top_n_tokens=top_n_tokens,
        grammar=grammar,
        details=True,
    )


def _grammar(value: object, path: str) -> bool:
    """True for a grammar of TGI's shape; it is refused later, by validation."""
    fields = Fields(value, "GrammarType", path)
    kind = fields.required("type", string)
    if kind not in GRAMMAR_TYPES:
        expected = ", ".join(f"`{name}`" for name in GRAMMAR_TYPES)
        raise wrong_shape(fields.at("type"), f"unknown variant `{kind}`, expected one of {expected}")
    if "value" not in fields.values:
        raise wrong_shape(path, "missing field `value`")
    return True


def _prompts(value: object, path: str) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list):
        raise wrong_type(value, "a string or an array of strings", path)
    if not value:
        raise wrong_shape(path, "Empty array detected. Do not use an empty array for the prompt.")
    return strings(value, path)


def _message(fields: Fields) -> tuple[Message, bool]:
    """The message, and whether it came with images."""
    role = fields.required("role", string)
    content, calls = fields.values.get("content"), fields.values.get("tool_calls")
    if isinstance(content, str):
        return Message(role, content), False
    if isinstance(content, list):
        chunks = [
            _chunk(Fields(item, "MessageChunk", f"{fields.at('content')}[{i}]"))
            for i, item in enumerate(content)
        ]
        return Message(role, "".join(text for text, _ in chunks)), any(image for _, image in chunks)
    if content is None and isinstance(calls, list):
        return Message(role, orjson.dumps(calls).decode()), False
    raise wrong_shape(fields.path, "data did not match any variant of untagged enum MessageBody")


def _chunk(fields: Fields) -> tuple[str, bool]:
    """Text of a content chunk, and whether it is an image."""
    kind = fields.required("type", string)
    if kind == "text":
        return fields.required("text", string), False
    if kind == "image_url":
        return "", True
    raise wrong_shape(fields.at("type"), f"unknown variant `{kind}`, expected `text` or `image_url`")
