"""The documents for producers say what the decoder does: JSON Schema and AsyncAPI."""

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator, Draft202012Validator

from consumers.dead_letters import letter
from service.events import asyncapi
from service.events.cloudevents import open_envelope, unwrap
from service.events.decoding import InvalidRecordError, Reason, decode
from service.events.documents import documents, job_event_schema, main
from service.runtime.settings import ConsumerSettings
from tests.docs import PROJECT
from tests.examples import examples
from tests.unit.test_cloudevents import envelope
from tests.unit.test_decoding import FIELDS, json_values, valid_events

SCHEMA = Draft202012Validator(job_event_schema())
ASYNCAPI = documents()["asyncapi.json"]
MESSAGES = ASYNCAPI["components"]["messages"]
DATA = base64.b64encode(json.dumps(FIELDS).encode()).decode()
WITHOUT_ID = {name: each for name, each in FIELDS.items() if name != "event_id"}
TEXTS = ["", "a\n", "a b", "ü", "x" * 64, "x" * 65, "x" * 128, "x" * 129, "😀" * 64, "\x7f", "\x80", "FAILED", "failed"]
NUMBERS = [0, 1, -1, 2**31 - 1, 2**31, 2**53 - 1, 2**53, 10**40, True, None]
ODD = json_values | st.sampled_from(TEXTS) | st.sampled_from(NUMBERS)


@pytest.mark.parametrize("name", documents())
def test_repository_has_the_current_documents(name: str, tmp_path: Path) -> None:
    """`python -m service.events.documents docs` writes them anew."""
    main(tmp_path)
    assert (PROJECT / "docs" / name).read_text(encoding="utf-8") == (tmp_path / name).read_text(encoding="utf-8")


def test_schema_is_one() -> None:
    """By its own dialect, with its examples valid, and bounds and formats for every number."""
    schema = job_event_schema()
    Draft202012Validator.check_schema(schema)
    for each in schema["examples"]:
        SCHEMA.validate(each)
    numbers = [each for each in _objects(schema) if each.get("type") == "integer"]
    assert [each["format"] for each in numbers] == ["int64", "int64", "int64", "int32"]
    assert all("minimum" in each and "maximum" in each for each in numbers)
    assert all(each.get("description") for each in schema["properties"].values())


@st.composite
def documents_of_events(draw: st.DrawFn) -> dict[str, Any]:
    """An event, with some fields broken, left out or added, or none."""
    fields: dict[str, Any] = draw(valid_events)
    names = st.sampled_from([*FIELDS, "unknown"])
    fields |= draw(st.dictionaries(names, ODD, max_size=2))
    for name in draw(st.lists(names, max_size=1)):
        fields.pop(name, None)
    return fields


@settings(max_examples=examples(2))
@given(documents_of_events() | json_values)
@example([])
@example({**FIELDS, "project_id": "a\n"})
@example({**FIELDS, "user_name": "a\n"})
def test_schema_and_decoder_agree(document: Any) -> None:
    """What the one accepts the other accepts.

    A schema cannot say all: that `1.0` is no integer, that a text is a whole number of characters, how large the value
    may be, what the key must be, and that of a name that is there twice the last counts.
    """
    value = json.dumps(document).encode()
    if any(map(_is_beyond_schemas, document.values() if isinstance(document, dict) else [document])):
        return
    try:
        decode(None, value)
    except InvalidRecordError:
        assert not SCHEMA.is_valid(document)
    else:
        assert SCHEMA.is_valid(document)


def _is_beyond_schemas(value: Any) -> bool:
    if isinstance(value, float):
        return value.is_integer() or value != value or abs(value) == float("inf")  # noqa: PLR0124 - NaN is no JSON
    text = json.dumps(value)
    return "NaN" in text or "Infinity" in text or bool(re.search(r"\\ud[89a-f]", text))


def test_asyncapi_is_one() -> None:
    """By the schema of AsyncAPI, and each reference leads somewhere."""
    schema = json.loads((PROJECT / "tests/unit/asyncapi-3.0.0.schema.json").read_text(encoding="utf-8"))
    errors = [f"{list(each.absolute_path)}: {each.message}" for each in Draft7Validator(schema).iter_errors(ASYNCAPI)]
    assert errors == []
    references = [each["$ref"] for each in _objects(ASYNCAPI) if "$ref" in each]
    assert references
    for each in references:
        _resolve(each)


def test_asyncapi_has_the_names_of_settings_and_headers() -> None:
    """Topics, group and servers are the defaults; headers and reasons are those of dead letters."""
    defaults = {name: field.default for name, field in ConsumerSettings.model_fields.items()}
    channels = [each["address"] for each in ASYNCAPI["channels"].values()]
    assert channels == [defaults["kafka_topic"], defaults["kafka_dead_letter_topic"]]
    assert ASYNCAPI["servers"]["local"]["host"] == defaults["kafka_bootstrap_servers"]
    binding = ASYNCAPI["operations"]["receiveJobEvents"]["bindings"]["kafka"]
    assert binding["groupId"]["default"] == defaults["kafka_group_id"]
    headers = [text for name, text in vars(letter).items() if name.endswith("_HEADER")]
    assert list(asyncapi.DEAD_LETTER_HEADERS) == headers
    reason = MESSAGES["deadLetter"]["headers"]["properties"]["dead-letter-reason"]
    assert reason["enum"] == list(get_args(Reason))


@pytest.mark.parametrize("name", [name for name in MESSAGES if name != "deadLetter"])
def test_examples_of_messages_are_taken(name: str) -> None:
    """They are valid by the schemas next to them, and by the decoder."""
    message = MESSAGES[name]
    key = message["bindings"]["kafka"]["key"]
    for each in message["examples"]:
        _check(message["payload"], each["payload"])
        _check(message.get("headers", {}), each.get("headers", {}))
        _check(key, key["examples"][0])
        headers = [(header, text.encode()) for header, text in each.get("headers", {}).items()]
        value = None if each["payload"] is None else json.dumps(each["payload"]).encode()
        assert bool(headers) == ("CloudEvent" in name)
        decode(key["examples"][0].encode(), *(unwrap(value, headers) if value and headers else (value,)))


@pytest.mark.parametrize(
    ("changes", "is_valid"),
    [
        ({}, True),
        ({"data_base64": None}, True),
        ({"data": None, "data_base64": DATA}, True),
        ({"data": ..., "data_base64": DATA}, True),
        ({"data_base64": DATA}, False),
        ({"data": None}, False),
        ({"data": None, "data_base64": None}, False),
        ({"data": ...}, False),
        ({"id": "i" * 65}, True),
        ({"id": "😀" * 64, "data": WITHOUT_ID}, True),
        ({"id": "i" * 65, "data": WITHOUT_ID}, False),
        ({"id": "", "data": WITHOUT_ID}, False),
    ],
)
def test_schema_of_cloud_events_and_decoder_agree(changes: dict[str, Any], is_valid: bool) -> None:
    """About where the event is, and the id that stands in for its own."""
    value = envelope(**changes)
    schema = {"$ref": "#/components/schemas/CloudEvent", "components": ASYNCAPI["components"]}
    assert Draft202012Validator(schema).is_valid(json.loads(value)) == is_valid
    try:
        decode(None, *open_envelope(value))
    except InvalidRecordError:
        assert not is_valid
    else:
        assert is_valid


def _check(schema: dict[str, Any], given: Any) -> None:
    whole = {**schema, "components": ASYNCAPI["components"]}
    Draft202012Validator(whole).validate(given)


def _resolve(reference: str) -> Any:
    target: Any = ASYNCAPI
    for step in reference.removeprefix("#/").split("/"):
        target = target[step]
    return target


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _objects(child)
