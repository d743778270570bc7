"""JSON bodies to typed requests: TGI's own, and what the chat's (`chat_shapes`) shares with them.

Owns the requests' shapes and TGI's defaults. Does not judge values: `validation` does. None stands for null
or absent.
"""

from dataclasses import dataclass
from typing import Any

from cpu_engine.tgi.json_reader import JsonReader
from cpu_engine.tgi.serde import (
    Field,
    Read,
    anything,
    array,
    boolean,
    f32,
    fields,
    i32,
    optional,
    read_body,
    string,
    u32,
    u64,
    untagged,
    usize,
    wrong_type,
)


@dataclass(frozen=True, slots=True)
class Grammar:
    """What the answer must look like: a JSON schema, or (`is_regex`) a regular expression."""

    value: Any
    is_regex: bool


@dataclass(frozen=True, slots=True)
class Parameters:
    """TGI's GenerateParameters.

    `do_sample` is False by default: a `parameters` object without the key means greedy, a request without the
    object samples (`SAMPLED`). `watermark` and `adapter_id` are only read: TGI marks no text that a client
    could tell from another, and an adapter that it does not have means the model itself.
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
    grammar: Grammar | None = None
    adapter_id: str | None = None


SAMPLED = Parameters(do_sample=True)


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """A prompt and its parameters.

    Attributes:
        add_special_tokens: False when the chat template has already written them.
        wants_tokens: somebody will look at token ids and log-probabilities.
    """

    inputs: str
    parameters: Parameters = SAMPLED
    add_special_tokens: bool = True
    wants_tokens: bool = True


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """TGI's CompletionRequest; `parameters` serve every prompt."""

    prompts: tuple[str, ...]
    parameters: Parameters
    stream: bool
    has_suffix: bool


def grammar(json: JsonReader) -> Grammar:
    """TGI's GrammarType: `type` says what `value` is, and may come after it."""
    if json.peek() != b"{":
        raise wrong_type(json, "adjacently tagged enum GrammarType")
    found: dict[str, Any] = {}

    def each(key: str) -> None:
        if key in found:
            raise json.unplaced_error(f"duplicate field `{key}`")
        if key == "type":
            found[key] = json.value_of(key, _grammar_type)
        elif key != "value":
            json.value_of(key, JsonReader.ignore)
        elif "type" in found:
            found[key] = json.value_of(key, _GRAMMAR_VALUES[found["type"]])
        else:
            json.peek()
            start = json.at + 1
            json.value_of(key, anything)
            found[key] = json.data[start : json.at]

    def end() -> Grammar:
        for key in ("type", "value"):
            if key not in found:
                raise json.unplaced_error(f"missing field `{key}`")
        kind, value = found["type"], found["value"]
        if isinstance(value, bytes):
            value = _GRAMMAR_VALUES[kind](JsonReader(value, json.path))
        return Grammar(value["schema"] if kind == "json_schema" else value, kind == "regex")

    return json.members(each, end)


def _grammar_type(json: JsonReader) -> str:
    if json.peek() != b'"':
        raise json.syntax_error("expected value")
    kind = json.string()
    if kind not in _GRAMMAR_VALUES:
        expected = ", ".join(f"`{name}`" for name in _GRAMMAR_VALUES)
        raise json.data_error(f"unknown variant `{kind}`, expected one of {expected}")
    return kind


_GRAMMAR_VALUES: dict[str, Read[Any]] = {
    "json": anything,
    "json_object": anything,
    "regex": string,
    "json_schema": fields("JsonSchemaConfig", optional("name", string), Field("schema", anything)),
}

_PARAMETERS = fields(
    "GenerateParameters",
    optional("best_of", usize),
    optional("temperature", f32),
    optional("repetition_penalty", f32),
    optional("frequency_penalty", f32),
    optional("top_k", i32),
    optional("top_p", f32),
    optional("typical_p", f32),
    Field("do_sample", boolean, False),
    optional("max_new_tokens", u32),
    optional("return_full_text", boolean),
    Field("stop", array(string), ()),
    optional("truncate", usize),
    Field("watermark", boolean, False),
    Field("details", boolean, False),
    Field("decoder_input_details", boolean, False),
    optional("seed", u64),
    optional("top_n_tokens", u32),
    optional("grammar", grammar),
    optional("adapter_id", string),
)


def _parameters(json: JsonReader) -> Parameters:
    return Parameters(**_PARAMETERS(json))


def _prompts(json: JsonReader) -> tuple[str, ...]:
    prompts: str | tuple[str, ...] = _PROMPT(json)
    if not prompts and isinstance(prompts, tuple):
        raise json.unplaced_error("Empty array detected. Do not use an empty array for the prompt.")
    return (prompts,) if isinstance(prompts, str) else prompts


_PROMPT = untagged("PromptDeserializer", string, array(string))
_GENERATE = (Field("inputs", string), Field("parameters", _parameters, SAMPLED))
GENERATE_REQUEST = fields("GenerateRequest", *_GENERATE)
COMPATIBLE_REQUEST = fields("CompatGenerateRequest", *_GENERATE, Field("stream", boolean, False))
VERTEX_INSTANCE = fields(
    "GenerateVertexInstance", Field("inputs", string), optional("parameters", _parameters)
)
COMPLETION_REQUEST = fields(
    "CompletionRequest",
    optional("model", string),
    Field("prompt", _prompts),
    optional("max_tokens", u32),
    optional("temperature", f32),
    optional("top_p", f32),
    Field("stream", boolean, False),
    optional("seed", u64),
    optional("suffix", string),
    optional("repetition_penalty", f32),
    optional("frequency_penalty", f32),
    optional("stop", array(string)),
)


def generate_request(body: bytes) -> GenerateRequest:
    """Read the body of /generate, /generate_stream and /tokenize.

    Raises:
        BodyError: 400 or 422 (so do the other readers).
    """
    return GenerateRequest(**read_body(body, GENERATE_REQUEST))


def compatible_request(body: bytes) -> tuple[GenerateRequest, bool]:
    """Read the body of POST /, with whether it wants a stream."""
    return compatible(read_body(body, COMPATIBLE_REQUEST))


def compatible(found: dict[str, Any]) -> tuple[GenerateRequest, bool]:
    """What `COMPATIBLE_REQUEST` has read."""
    return GenerateRequest(found["inputs"], found["parameters"]), found["stream"]


def completion_request(body: bytes) -> CompletionRequest:
    """Read the body of /v1/completions."""
    return completion(read_body(body, COMPLETION_REQUEST))


def completion(found: dict[str, Any]) -> CompletionRequest:
    """What `COMPLETION_REQUEST` has read."""
    parameters = openai_parameters(found, repetition_penalty=found["repetition_penalty"])
    return CompletionRequest(found["prompt"], parameters, found["stream"], found["suffix"] is not None)


def openai_parameters(
    found: dict[str, Any],
    *,
    repetition_penalty: float | None,
    top_n_tokens: int | None = None,
    grammar: Grammar | None = None,
) -> Parameters:
    """OpenAI's keys: sampling unless `temperature` is exactly 0, which means greedy."""
    temperature = found["temperature"]
    return Parameters(
        temperature=temperature or None,
        do_sample=temperature != 0.0,
        repetition_penalty=repetition_penalty,
        frequency_penalty=found["frequency_penalty"],
        top_p=found["top_p"],
        max_new_tokens=found["max_tokens"],
        stop=found["stop"] or (),
        seed=found["seed"],
        top_n_tokens=top_n_tokens,
        grammar=grammar,
        details=True,
    )
