"""Chat requests in OpenAI's form: what the engine is asked, and what is refused in which words."""

from __future__ import annotations

from typing import Any

import pytest

from openai_api.chat import chat_request
from openai_api.errors import BadRequest, SchemaTooLarge

USER = {"role": "user", "content": "Say hello."}
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = {"type": "function", "function": {"name": "weather", "description": "Weather", "parameters": CITY}}
FORMAT = {"type": "json_schema", "json_schema": {"name": "p", "strict": True, "schema": CITY}}
CALL = {"id": "c", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Paris"}'}}


def asked(**fields: Any) -> dict[str, Any]:
    return chat_request({"messages": [USER], **fields}).body


@pytest.mark.parametrize(
    ("sent", "more"),
    [
        ({}, {}),
        (
            {"temperature": 1, "top_p": 1, "presence_penalty": 0, "frequency_penalty": 0, "n": 1},
            {"temperature": 1},
        ),
        (
            {
                "temperature": None,
                "top_p": None,
                "stop": None,
                "stream": None,
                "tools": None,
                "unheard": None,
            },
            {},
        ),
        ({"temperature": 0, "top_p": 0.9}, {"temperature": 0}),
        ({"temperature": 1e-40}, {"temperature": 0}),
        ({"top_p": 0}, {"temperature": 0}),
        ({"top_p": 0.99999999}, {}),
        ({"top_p": 0.5}, {"top_p": 0.5}),
        ({"frequency_penalty": -1.5}, {"frequency_penalty": -1.5}),
        ({"repetition_penalty": 1.5}, {"presence_penalty": -0.5}),
        ({"repetition_penalty": 1}, {}),
        ({"stop": "\n"}, {"stop": ["\n"]}),
        ({"stop": ["a", "", "b", "c", "d"]}, {"stop": ["a", "b", "c", "d"]}),
        ({"stop": ""}, {}),
        ({"max_tokens": 7}, {"max_tokens": 7}),
        ({"max_tokens": 7, "max_completion_tokens": 5}, {"max_tokens": 5}),
        ({"max_tokens": 7.0}, {"max_tokens": 7}),
        ({"seed": -1}, {"seed": 2**64 - 1}),
        ({"logit_bias": {}}, {}),
        ({"logprobs": True, "top_logprobs": 2}, {"logprobs": True, "top_logprobs": 2}),
        ({"logprobs": False, "top_logprobs": 0}, {}),
        ({"stream_options": None}, {}),
        ({"stream_options": {"include_usage": True}}, {}),
        ({"stream": True, "stream_options": {"include_usage": None}}, {"stream": True}),
        (
            {"stream": True, "stream_options": {"include_usage": True, "include_obfuscation": False}},
            {"stream": True, "stream_options": {"include_usage": True}},
        ),
        ({"response_format": {"type": "text"}}, {}),
        (
            {"response_format": FORMAT},
            {"response_format": {"type": "json_schema", "value": {"name": "p", "schema": CITY}}},
        ),
        ({"tools": []}, {}),
        ({"tools": [], "tool_choice": "auto", "response_format": {"type": "text"}}, {}),
        ({"tools": [WEATHER]}, {"tools": [WEATHER], "tool_choice": "auto"}),
        ({"tools": [WEATHER], "tool_choice": "none"}, {}),
        ({"tools": [WEATHER], "tool_choice": "required"}, {"tools": [WEATHER], "tool_choice": "required"}),
        (
            {"tools": [WEATHER], "tool_choice": {"type": "function", "function": {"name": "weather"}}},
            {
                "tools": [WEATHER],
                "tool_choice": {"type": "function", "function": {"name": "weather"}},
            },
        ),
        ({"model": "gpt-4o"}, {"model": "gpt-4o"}),
        ({"functions": [], "function_call": "auto", "modalities": ["text"]}, {}),
        (
            {
                **{
                    "user": "u",
                    "metadata": {"a": "b"},
                    "store": True,
                    "service_tier": "auto",
                    "verbosity": "low",
                },
                **{"reasoning_effort": "low", "parallel_tool_calls": False, "safety_identifier": "s"},
                **{"prompt_cache_key": "k", "prediction": {"type": "content", "content": "x"}},
            },
            {},
        ),
    ],
)
def test_the_engine_is_asked(sent: dict[str, Any], more: dict[str, Any]) -> None:
    assert asked(**sent) == {"messages": [USER], **more}


@pytest.mark.parametrize(
    ("sent", "param", "words"),
    [
        ({"n": 2}, "n", "One answer a request"),
        ({"presence_penalty": 0.5}, "presence_penalty", "frequency_penalty"),
        ({"logit_bias": {"50256": -100}}, "logit_bias", "cannot bias"),
        ({"top_k": 40}, "top_k", "/generate"),
        ({"made_up": 1}, "made_up", "Unknown parameter"),
        ({"functions": [{"name": "f"}]}, "functions", "send tools"),
        ({"function_call": {"name": "f"}}, "function_call", "send tool_choice"),
        ({"modalities": ["text", "audio"]}, "modalities", "text only"),
        ({"audio": {"voice": "x"}}, "audio", "text only"),
        ({"web_search_options": {}}, "web_search_options", "no web search"),
        ({"temperature": -1}, "temperature", "from 0 to 2"),
        ({"temperature": "0"}, "temperature", "expected a number, found a string"),
        ({"temperature": True}, "temperature", "found a boolean"),
        ({"top_p": 1.5}, "top_p", "from 0 to 1"),
        ({"frequency_penalty": 3}, "frequency_penalty", "from -2 to 2"),
        ({"max_tokens": 0}, "max_tokens", "from 1"),
        ({"max_tokens": 1.5}, "max_tokens", "expected an integer, found a number"),
        ({"max_completion_tokens": "5"}, "max_completion_tokens", "an integer"),
        ({"seed": 1e30}, "seed", "whole number"),
        ({"stop": list("abcde")}, "stop", "at most 4"),
        ({"stop": [1]}, "stop", "array of strings"),
        ({"stream": "true"}, "stream", "a boolean"),
        ({"stream_options": {"every_token": True}}, "stream_options.every_token", "leave it out"),
        ({"logprobs": 1}, "logprobs", "a boolean"),
        ({"logprobs": True, "top_logprobs": 6}, "top_logprobs", "at most 5"),
        ({"top_logprobs": 2}, "top_logprobs", "logprobs: true"),
        ({"model": 7}, "model", "a string"),
        ({"response_format": "json"}, "response_format", "an object"),
        ({"response_format": {"type": "xml"}}, "response_format.type", "json_object"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema.schema", "Missing"),
        ({"response_format": FORMAT, "tools": [WEATHER]}, "response_format", "not together with tools"),
        ({"tools": {}}, "tools", "an array"),
        ({"tools": [WEATHER] * 129}, "tools", "at most 128"),
        ({"tools": [{"type": "custom"}]}, "tools[0].type", "expected function"),
        ({"tools": [{"type": "function"}]}, "tools[0]", "Missing"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name", "Missing"),
        ({"tools": [WEATHER], "tool_choice": "time"}, "tool_choice", "name of one of the tools"),
        ({"tools": [WEATHER], "tool_choice": 1}, "tool_choice", "a string or an object"),
        ({"tools": [WEATHER], "tool_choice": {"type": "allowed_tools"}}, "tool_choice.type", "allowed"),
        ({"tool_choice": "required"}, "tool_choice", "with tools"),
        ({"messages": []}, "messages", "at least one"),
        ({"messages": None}, "messages", "Missing"),
        ({"messages": "hi"}, "messages", "an array"),
        ({"messages": [1]}, "messages[0]", "an object"),
        ({"messages": [{"content": "a"}]}, "messages[0].role", "Missing"),
        ({"messages": [{**USER, "role": "wizard"}]}, "messages[0].role", "developer"),
        ({"messages": [USER, {"role": "user", "content": None}]}, "messages[1].content", "found null"),
        ({"messages": [{"role": "user"}]}, "messages[0].content", "a string or an array"),
        ({"messages": [{"role": "user", "content": 7}]}, "messages[0].content", "found an integer"),
        ({"messages": [{**USER, "function_call": {}}]}, "messages[0].function_call", "send tool_calls"),
    ],
)
def test_is_refused_by_name(sent: dict[str, Any], param: str, words: str) -> None:
    with pytest.raises(BadRequest) as refused:
        asked(**sent)
    assert refused.value.param == param
    assert words in str(refused.value)
    assert param in str(refused.value)


@pytest.mark.parametrize("kind", ["image_url", "input_audio", "file", "video"])
def test_the_model_reads_text_only(kind: str) -> None:
    parts = [{"type": "text", "text": "What is it?"}, {"type": kind, kind: {"url": "data:,"}}]
    with pytest.raises(BadRequest, match="this model reads text only") as refused:
        asked(messages=[{"role": "user", "content": parts}])
    assert refused.value.param == "messages[0].content[1]"


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        ({"role": "developer", "content": "Be short."}, {"role": "system", "content": "Be short."}),
        ({**USER, "name": "ann"}, {**USER, "name": "ann"}),
        (
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            {"role": "user", "content": "ab"},
        ),
        (
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
            {"role": "assistant", "content": "no"},
        ),
        ({"role": "assistant", "content": None}, {"role": "assistant", "content": ""}),
        ({"role": "assistant", "tool_calls": [CALL]}, {"role": "assistant", "tool_calls": [CALL]}),
        # TGI would leave the calls out beside a text, an empty one, too
        (
            {"role": "assistant", "content": "", "tool_calls": [CALL]},
            {"role": "assistant", "tool_calls": [CALL]},
        ),
        (
            {"role": "assistant", "content": "Let me look.", "tool_calls": [CALL]},
            {
                "role": "assistant",
                "content": 'Let me look.\n[{"id":"c","type":"function","function":{"description":null,'
                '"name":"weather","arguments":"{\\"city\\":\\"Paris\\"}"}}]',
            },
        ),
        ({"role": "tool", "tool_call_id": "c", "content": "18 C"}, {"role": "tool", "content": "18 C"}),
    ],
)
def test_a_message_becomes(sent: dict[str, Any], message: dict[str, Any]) -> None:
    assert asked(messages=[USER, sent])["messages"] == [USER, message]


def test_a_tool_without_parameters_takes_none() -> None:
    made = asked(tools=[{"type": "function", "function": {"name": "ping", "strict": True}}])["tools"]
    assert made == [
        {"type": "function", "function": {"name": "ping", "parameters": {"type": "object", "properties": {}}}}
    ]


def test_what_a_tool_refers_to_is_written_out() -> None:
    """TGI copies the properties alone, and would not find the rest."""
    point = {"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"]}
    parameters = {
        "$defs": {"Point": point},
        "type": "object",
        "properties": {
            "to": {"$ref": "#/$defs/Point"},
            "via": {"type": "array", "items": {"$ref": "#/$defs/Point"}},
        },
        "required": ["to"],
    }
    made = asked(tools=[{"type": "function", "function": {"name": "go", "parameters": parameters}}])["tools"]
    assert made[0]["function"]["parameters"] == {
        "type": "object",
        "properties": {"to": point, "via": {"type": "array", "items": point}},
        "required": ["to"],
    }


@pytest.mark.parametrize("target", ["#/$defs/Node", "#/$defs/Missing", "https://example.com/schema"])
def test_what_cannot_be_written_out_is_refused(target: str) -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}}
    parameters = {"$defs": {"Node": node}, "properties": {"first": {"$ref": target}}}
    with pytest.raises(BadRequest) as refused:
        asked(tools=[{"type": "function", "function": {"name": "go", "parameters": parameters}}])
    assert refused.value.param == "tools[0].function.parameters"


def test_a_property_that_refers_to_itself_and_is_written_once_more_is_what_the_other_says() -> None:
    parameters = {
        "properties": {"a": {"$ref": "#/properties/a"}},
        "allOf": [{"properties": {"a": {"type": "string", "description": "A."}}}],
    }
    made = asked(tools=[{"type": "function", "function": {"name": "go", "parameters": parameters}}])["tools"]
    assert made[0]["function"]["parameters"] == {"properties": {"a": {"type": "string", "description": "A."}}}


def test_too_many_tools_are_refused_together() -> None:
    """Each of them alone would do."""
    many = {f"field_{number}": {"type": "string"} for number in range(12)}
    tools = [
        {"type": "function", "function": {"name": f"tool_{number}", "parameters": {"properties": many}}}
        for number in range(40)
    ]
    with pytest.raises(SchemaTooLarge, match="Offer fewer tools") as refused:
        asked(tools=tools)
    assert refused.value.param == "tools"
    named = {"type": "function", "function": {"name": "tool_7"}}
    assert len(asked(tools=tools, tool_choice=named)["tools"]) == 40


@pytest.mark.parametrize("kind", ["tools", "response_format"])
def test_a_schema_that_is_too_large_is_refused(kind: str) -> None:
    schema = {"properties": {f"field_{number}": {"type": "string"} for number in range(400)}}
    tool = {"type": "function", "function": {"name": "f", "parameters": schema}}
    described = {"type": "json_schema", "json_schema": {"schema": schema}}
    with pytest.raises(SchemaTooLarge) as refused:
        asked(**({"tools": [tool]} if kind == "tools" else {"response_format": described}))
    assert refused.value.code == "schema_too_large"
    assert str(refused.value.param).startswith(kind)


def test_json_object_is_a_grammar() -> None:
    made = asked(response_format={"type": "json_object"})["response_format"]
    assert made["type"] == "regex"
    assert made["value"]
