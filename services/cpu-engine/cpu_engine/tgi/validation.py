"""TGI's judgement of a request: pure functions from a request to validated values or TGI's message.

Wording and order of the checks are those of TGI 3.3.7 (router/src/validation.rs); they matter because clients
match on them.
"""

import secrets

from cpu_engine.engine import Sampling
from cpu_engine.settings import Limits
from cpu_engine.tgi.errors import ValidationError
from cpu_engine.tgi.json_reader import JsonReader
from cpu_engine.tgi.refused import Refused
from cpu_engine.tgi.schema import SchemaRefused, check_schema, schema_pattern
from cpu_engine.tgi.serde import anything
from cpu_engine.tgi.shapes import GenerateRequest, Grammar, Parameters

GENERATION_SLICE = 1024
"""TGI generates that many new tokens at a time, and counts no more than that against the length budget."""


def check_best_of(best_of: int, limits: Limits) -> None:
    """`best_of` of a request that does not stream; TGI looks at it before anything else."""
    if limits.max_best_of == 1 and best_of != 1:
        raise ValidationError("`best_of` != 1 is not allowed for this endpoint")
    if best_of > limits.max_best_of:
        raise ValidationError(f"`best_of` must be > 0 and <= {limits.max_best_of}. Given: {best_of}")


def check_streamable(parameters: Parameters) -> None:
    """What TGI refuses only when it streams."""
    if parameters.best_of not in (None, 1):
        raise ValidationError("`best_of` != 1 is not supported when streaming tokens")
    if parameters.decoder_input_details:
        raise ValidationError("`decoder_input_details` == true is not supported when streaming tokens")


def validate_sampling(request: GenerateRequest, limits: Limits) -> Sampling:
    """Everything that can be judged without the tokenizer, in TGI's order."""
    given = request.parameters
    best_of = given.best_of or 1
    asks_sampling = given.do_sample or any(
        value is not None for value in (given.temperature, given.top_k, given.top_p, given.typical_p)
    )
    if best_of > 1 and not asks_sampling:
        raise ValidationError("you must use sampling when `best_of` is > 1")
    _check_ranges(given)
    if len(given.stop) > limits.max_stop_sequences:
        raise ValidationError(
            f"`stop` supports up to {limits.max_stop_sequences} stop sequences. Given: {len(given.stop)}"
        )
    if best_of > 1 and given.seed is not None:
        raise ValidationError("`seed` must not be set when `best_of` > 1")
    if given.top_n_tokens is not None and given.top_n_tokens > limits.max_top_n_tokens:
        raise ValidationError(
            f"`top_n_tokens` must be >= 0 and <= {limits.max_top_n_tokens}. Given: {given.top_n_tokens}"
        )
    if not request.inputs:
        raise ValidationError("`inputs` cannot be empty")
    if given.truncate is not None and not 0 < given.truncate <= limits.max_input_tokens:
        raise ValidationError(
            f"`truncate` must be strictly positive and less than {limits.max_input_tokens}. "
            f"Given: {given.truncate}"
        )
    return _sampling(given)


def grammar_pattern(grammar: Grammar) -> str:
    """The regular expression of what an answer may be; TGI judges a schema after the length."""
    if grammar.is_regex:
        return str(grammar.value)
    schema = grammar.value
    if isinstance(schema, str):
        try:
            schema = anything(JsonReader(schema.encode()))
        except Refused as refused:
            reason = refused.reason + refused.place(grammar.value.encode())
            raise ValidationError(f"grammar is not valid: {reason}") from None
    elif not isinstance(schema, dict):
        raise ValidationError("grammar is not supported")
    try:
        check_schema(schema)
    except SchemaRefused as refused:
        raise ValidationError(f"grammar is not valid: {refused}") from None
    if not isinstance(schema, dict) or "properties" not in schema:
        raise ValidationError("grammar is not valid: Grammar must have a 'properties' field")
    try:
        return schema_pattern(schema)
    except SchemaRefused as refused:
        raise ValidationError(f"cannot compile regex from schema: {refused}") from None


def _check_ranges(given: Parameters) -> None:
    if given.temperature is not None and given.temperature <= 0:
        raise ValidationError("`temperature` must be strictly positive")
    if given.repetition_penalty is not None and given.repetition_penalty <= 0:
        raise ValidationError("`repetition_penalty` must be strictly positive")
    if given.frequency_penalty is not None and not -2 <= given.frequency_penalty <= 2:
        raise ValidationError("`frequency_penalty` must be >= -2.0 and <= 2.0")
    if given.top_p is not None and not 0 < given.top_p < 1:
        raise ValidationError("`top_p` must be > 0.0 and < 1.0")
    if given.typical_p is not None and not 0 < given.typical_p < 1:
        raise ValidationError("`typical_p` must be > 0.0 and < 1.0")
    if given.top_k is not None and given.top_k <= 0:
        raise ValidationError("`top_k` must be strictly positive")
    if given.max_new_tokens == 0:
        raise ValidationError("`max_new_tokens` must be strictly positive")


def _sampling(given: Parameters) -> Sampling:
    temperature = 1.0 if given.temperature is None else given.temperature
    narrowed = (given.top_k, given.top_p, given.typical_p) != (None, None, None)
    return Sampling(
        temperature=temperature,
        top_k=given.top_k or 0,
        top_p=given.top_p or 1.0,
        typical_p=given.typical_p or 1.0,
        repetition_penalty=given.repetition_penalty or 1.0,
        frequency_penalty=given.frequency_penalty or 0.0,
        # TGI's server samples as soon as a warper is in use; a temperature of 1 is none
        sample=given.do_sample or temperature != 1.0 or narrowed,
        seed=secrets.randbits(64) if given.seed is None else given.seed,
        seed_is_given=given.seed is not None,
        top_n_tokens=given.top_n_tokens or 0,
    )


def validate_length(input_tokens: int, max_new_tokens: int | None, limits: Limits) -> int:
    """How many tokens may be generated after `input_tokens` (which `truncate` has already shortened).

    None fills up to `max_total_tokens`.
    """
    room = max(0, limits.max_total_tokens - input_tokens)
    counted = min(room if max_new_tokens is None else max_new_tokens, GENERATION_SLICE)
    if input_tokens + counted > limits.max_total_tokens:
        raise ValidationError(
            f"`inputs` tokens + `max_new_tokens` must be <= {limits.max_total_tokens}. "
            f"Given: {input_tokens} `inputs` tokens and {counted} `max_new_tokens`"
        )
    if input_tokens > limits.max_input_tokens:
        raise ValidationError(
            f"`inputs` must have less than {limits.max_input_tokens} tokens. Given: {input_tokens}"
        )
    return room if max_new_tokens is None else min(max_new_tokens, room)
