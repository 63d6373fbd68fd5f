"""Says what is wrong with the fields of an event, and what is allowed, in words for whoever publishes it. Pure.

Decoding calls it with the error of the model. What a field may be is read from the model's schema.
"""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from service.events.schema import ID_PATTERN, USER_NAME_PATTERN, JobEventModel

MAX_CONTENT_CHARS = 64
"""How many characters of a value a text repeats at most. A text repeats one value."""
_MAX_DIGITS = 19
_CHARACTERS = {ID_PATTERN: " of A-Z a-z 0-9 _ -", USER_NAME_PATTERN: ", none of them a control character"}
_KINDS: Mapping[type, str] = {
    str: "a string",
    int: "an integer",
    float: "a number with a fraction or an exponent",
    bool: "a boolean",
    type(None): "null",
    list: "an array",
    dict: "an object",
    tuple: "an array or an object",  # it was not parsed
}

FieldReason = Literal["missing_field", "wrong_type", "out_of_bounds"]


def describe(error: ValidationError) -> tuple[FieldReason, str]:
    """Returns the reason and the text for the first field that is wrong; the text also names the others."""
    first, *others = error.errors(include_url=False, include_context=False)
    if not first["loc"]:
        return "wrong_type", f"value: is {_kind(first['input'])}; it must be an object with the fields of an event"
    field = str(first["loc"][0])
    reason, problem = _judge(first)
    text = f"{field}: is {problem}; it must be {_allowed()[field]}"
    names = [name for name in dict.fromkeys(str(each["loc"][0]) for each in others) if name != field]
    return reason, f"{text}. Also wrong: {', '.join(names)}" if names else text


def shown(content: str) -> str:
    """Returns a text as a message may repeat it: cut, in quotes, and with nothing that is not printable ASCII."""
    text = ascii(content[:MAX_CONTENT_CHARS])[1:-1]
    return f"'{text[:MAX_CONTENT_CHARS]}'" + ("..." if max(len(content), len(text)) > MAX_CONTENT_CHARS else "")


def _judge(error: ErrorDetails) -> tuple[FieldReason, str]:
    given, kind = error["input"], error["type"]
    if kind == "missing":
        return "missing_field", "missing"
    if kind.endswith("_type") or (kind == "literal_error" and not isinstance(given, str)):
        return "wrong_type", _kind(given)
    if isinstance(given, int):
        is_short = abs(given) < 10**_MAX_DIGITS
        return "out_of_bounds", str(given) if is_short else f"an integer of more than {_MAX_DIGITS} digits"
    if kind == "literal_error":
        return "out_of_bounds", shown(given)
    if kind == "string_pattern_mismatch":
        return "out_of_bounds", f"a string with {_wrong_character(str(error['loc'][0]), given)}"
    return "out_of_bounds", f"a string of {len(given)} characters"


def _wrong_character(field: str, given: str) -> str:
    allowed = _properties()[field]["not"]["pattern"]
    found = re.search(allowed, given)
    return f"U+{ord(found[0]):04X} as character {found.start() + 1}" if found else "another character"


def _kind(given: object) -> str:
    return _KINDS.get(type(given), "of another type")


@cache
def _properties() -> Mapping[str, Mapping[str, Any]]:
    """Returns the schema of each field, without null where that stands for an absent field."""
    properties = JobEventModel.model_json_schema()["properties"]
    return {name: each.get("anyOf", [each])[0] for name, each in properties.items()}


@cache
def _allowed() -> Mapping[str, str]:
    """Returns for each field what it may be."""
    optional = {name for name, field in JobEventModel.model_fields.items() if not field.is_required()}
    return {
        name: _what(schema) + (", or left out" if name in optional else "") for name, schema in _properties().items()
    }


def _what(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return f"one of {', '.join(schema['enum'])}"
    if schema["type"] == "integer":
        return f"an integer from {schema['minimum']} to {schema['maximum']}"
    characters = _CHARACTERS.get(schema.get("pattern", ""), "")
    return f"a string of {schema['minLength']} to {schema['maxLength']} characters{characters}"
