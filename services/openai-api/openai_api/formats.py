"""`response_format`, from OpenAI's form to a grammar of TGI's."""

from __future__ import annotations

from openai_api import checks
from openai_api.checks import Json, invalid
from openai_api.errors import BadRequest
from openai_api.json_grammar import ANY_JSON_OBJECT, check_schema

_SCHEMA = "response_format.json_schema.schema"


def response_format(fields: Json) -> Json | None:
    """The engine's grammar; None for plain text.

    Raises:
        BadRequest: with the place of what is wrong.
        SchemaTooLarge: it would take too long to prepare.
    """
    asked = checks.mapping(fields, "response_format")
    if asked is None:
        return None
    kind = checks.needed_text(asked, "type", "response_format.")
    if kind == "text":
        return None
    if kind == "json_object":
        return {"type": "regex", "value": ANY_JSON_OBJECT}
    if kind != "json_schema":
        raise invalid("response_format.type", "expected text, json_object or json_schema.")
    described = checks.mapping(asked, "json_schema", "response_format.")
    schema = checks.mapping(described or {}, "schema", "response_format.json_schema.")
    if described is None or schema is None:
        raise BadRequest(f"Missing required parameter: '{_SCHEMA}'.", _SCHEMA, "missing_parameter")
    name = checks.text(described, "name", "response_format.json_schema.")
    try:
        checked = check_schema(schema)
    except BadRequest as refused:
        raise type(refused)(f"Invalid value for '{_SCHEMA}': {refused}", _SCHEMA, refused.code) from None
    return {"type": "json_schema", "value": {"name": name or "answer", "schema": checked}}
