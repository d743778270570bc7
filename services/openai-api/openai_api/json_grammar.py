"""Stands in until the real one is here."""

ANY_JSON_OBJECT = r'\{[ ]?("([^"\\]|\\["\\])*"[ ]?:[ ]?("([^"\\]|\\["\\])*"|-?[0-9]+(\.[0-9]+)?|true|false|null)([ ]?,[ ]?"([^"\\]|\\["\\])*"[ ]?:[ ]?("([^"\\]|\\["\\])*"|-?[0-9]+(\.[0-9]+)?|true|false|null))*)?[ ]?\}'


def check_schema(schema: object) -> None:
    """Nothing yet."""
