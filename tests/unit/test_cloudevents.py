"""CloudEvents: in whatever mode an event comes, it is the same event; what is none says why."""

import base64
import json
from typing import Any

import pytest
from aiokafka import TopicPartition
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.ingest.folding import RecordFold
from consumers.ingest.records import decode_record
from consumers.kafka.aiokafka_private import HeaderName, MisnamedRecord
from service.events.cloudevents import REQUIRED, Content, Headers, is_cloud_event, open_envelope, open_strictly
from service.events.decoding import MAX_VALUE_BYTES, InvalidRecordError, decode
from service.events.event import JobDeletion, JobEvent
from tests.examples import examples
from tests.unit.test_decoding import EVENT, FIELDS, KEY, odd_json, records, valid_events, value_of, without

ATTRIBUTES = {"specversion": "1.0", "id": "A234-1234-1234", "source": "/backend/jobs", "type": "gene.job.transition"}
STRUCTURED: Headers = [("content-type", b"application/cloudevents+json")]
BINARY: Headers = [(f"ce_{name}", text.encode()) for name, text in ATTRIBUTES.items()]


def record(value: bytes | None, headers: Headers, key: bytes | None = KEY) -> MisnamedRecord:
    return MisnamedRecord(7, 1, key, value, headers)


def envelope(**changes: Any) -> bytes:
    """A CloudEvent in JSON; a change to `...` takes a member out."""
    members = {**ATTRIBUTES, "datacontenttype": "application/json", "data": FIELDS, **changes}
    return json.dumps({name: each for name, each in members.items() if each is not ...}).encode()


def with_header(name: str, text: bytes | None) -> Headers:
    return [*(each for each in BINARY if each[0] != name), (name, text)]


def verdict(value: bytes | None, headers: Headers, key: bytes | None = KEY) -> JobEvent | JobDeletion | tuple[str, str]:
    """The event, or reason and detail."""
    try:
        return decode_record(record(value, headers, key))
    except InvalidRecordError as error:
        return error.reason, error.detail


def reason(value: bytes | None, headers: Headers) -> str:
    found = verdict(value, headers)
    assert isinstance(found, tuple)
    return found[0]


@pytest.mark.parametrize(
    "content_type",
    [
        b"application/cloudevents+json",
        b"Application/CloudEvents+JSON",
        b"application/cloudevents+json; charset=UTF-8",
        b' application/cloudevents+json ;x=y; charset = "utf-8"',
        b'application/cloudevents+json; x="a;charset=latin1"; y="\\";charset=latin1"; charset=utf-8',
    ],
)
@pytest.mark.parametrize("name", ["content-type", "Content-Type"])
def test_structured(name: str, content_type: bytes) -> None:
    """The header says so, in any case and with parameters; other headers do not matter."""
    headers: Headers = [("trace", b"\xff"), (name, content_type), ("ce_id", b"\xff"), ("none", None)]
    assert verdict(envelope(), headers) == EVENT


@pytest.mark.parametrize("content_type", [None, b"", b"application/json", b"application/json; charset=utf-8"])
def test_binary(content_type: bytes | None) -> None:
    """The attributes are in headers; the value is the event, in JSON also where nothing says so."""
    assert verdict(value_of(), [*BINARY, ("ce_subject", b"\xff"), ("content-type", content_type)]) == EVENT
    assert verdict(value_of(), BINARY) == EVENT
    assert verdict(value_of(), [("content-type", b"application/vnd.gene+json"), *BINARY[::-1]]) == EVENT


@pytest.mark.parametrize("attribute", [{"subject": 1}, {"data": {**FIELDS, "x": "\ud83d"}}, {"\ud83d": []}])
def test_other_attributes_may_be_anything(attribute: dict[str, Any]) -> None:
    """Extensions are ignored, whatever they hold, and so are unknown fields of the event."""
    assert verdict(envelope(**attribute), STRUCTURED) == EVENT


def test_id_stands_in_for_a_missing_event_id() -> None:
    """It must be what an event's id may be, where it is needed; null is not missing."""
    without_id = json.loads(without("event_id"))
    assert verdict(without("event_id"), BINARY) == EVENT
    assert verdict(envelope(data=without_id), STRUCTURED) == EVENT
    long = "i" * 65
    for value, headers in [
        (without("event_id"), with_header("ce_id", long.encode())),
        (envelope(data=without_id, id=long), STRUCTURED),
    ]:
        found = verdict(value, headers)
        assert isinstance(found, tuple)
        assert found[0] == "out_of_bounds"
        assert found[1].startswith("id of the CloudEvent, in place of event_id: is a string of 65 characters")
    found = verdict(value_of(event_id=long), BINARY)
    assert isinstance(found, tuple)
    assert found[1].startswith("event_id: is a string of 65 characters")
    assert verdict(value_of(), with_header("ce_id", long.encode())) == EVENT
    assert reason(value_of(event_id=None), BINARY) == "wrong_type"
    assert reason(value_of(event_id=""), BINARY) == "out_of_bounds"
    assert reason(without("event_id"), [("trace", b"x")]) == "missing_field"


def test_data_in_base64() -> None:
    """JSON may come so as well."""
    data = base64.b64encode(value_of()).decode()
    assert verdict(envelope(data=..., data_base64=data), STRUCTURED) == EVENT
    assert verdict(envelope(data=None, data_base64=data), STRUCTURED) == EVENT
    assert verdict(envelope(data_base64=None), STRUCTURED) == EVENT
    assert reason(envelope(data=..., data_base64="e30="), STRUCTURED) == "missing_field"
    assert reason(envelope(data=..., data_base64="/w=="), STRUCTURED) == "not_utf8"


@pytest.mark.parametrize("headers", [BINARY, STRUCTURED, [], [("content-type", b"application/cloudevents-batch+json")]])
def test_tombstone_is_a_deletion(headers: Headers) -> None:
    """A null value has nothing that headers could be about."""
    assert verdict(None, headers) == JobDeletion(FIELDS["project_id"], FIELDS["job_id"])


@pytest.mark.parametrize(
    "headers",
    [
        [("trace", b"\xff"), ("none", None)],
        [("content-type", b"text/plain")],
        [("content-type", None)],
        [("content-type", b"application/json; x=application/cloudevents+json")],
        [("ce_traceparent", b"x"), ("ce_", b""), ("ce", b"")],
        [("CloudEvents", b"1.0")],
    ],
)
def test_other_headers_change_nothing(headers: Headers) -> None:
    """A record without a required attribute, and of another content type, is a plain event."""
    assert not is_cloud_event(headers)
    assert verdict(value_of(), headers) == EVENT
    assert reason(envelope(), headers) == "missing_field"


@pytest.mark.parametrize("name", [f"ce_{name}" for name in REQUIRED])
@pytest.mark.parametrize("text", [..., None, b"", b"\xff"])
def test_required_attributes_in_headers(name: str, text: Any) -> None:
    """Each must be there, once, with a text."""
    headers = with_header(name, text)
    if text is ...:
        headers = headers[:-1]
    found = verdict(value_of(), headers)
    assert isinstance(found, tuple)
    assert found[0] == "bad_cloud_event"
    assert name in found[1]
    assert reason(value_of(), [*BINARY, (name.upper(), b"1.0")]) == "bad_cloud_event"


@pytest.mark.parametrize("name", REQUIRED)
@pytest.mark.parametrize("given", [..., None, "", 1, [], {}, True])
def test_required_attributes_in_json(name: str, given: Any) -> None:
    """Each must be there, a string that is not empty."""
    found = verdict(envelope(**{name: given}), STRUCTURED)
    assert isinstance(found, tuple)
    assert found[0] == "bad_cloud_event"
    assert found[1].startswith(f"{name}: ")


@pytest.mark.parametrize(
    ("value", "headers", "expected", "detail"),
    [
        (
            value_of(),
            with_header("ce_specversion", b"0.3"),
            "bad_cloud_event",
            "ce_specversion: is '0.3'; it must be 1",
        ),
        (envelope(specversion="1.1"), STRUCTURED, "bad_cloud_event", "specversion: is '1.1'; it must be 1.0"),
        (envelope(data=...), STRUCTURED, "bad_cloud_event", "data and data_base64: are missing"),
        (envelope(data=None), STRUCTURED, "bad_cloud_event", "data and data_base64: are missing"),
        (envelope(data_base64="e30="), STRUCTURED, "bad_cloud_event", "data and data_base64: are both there"),
        (envelope(data=..., data_base64="%"), STRUCTURED, "bad_cloud_event", "data_base64: is not Base64"),
        (envelope(data=..., data_base64=[]), STRUCTURED, "bad_cloud_event", "data_base64: must be a string"),
        (envelope(data="{}"), STRUCTURED, "wrong_type", "data: is no object"),
        (envelope(id="\ud800"), STRUCTURED, "not_json", "id: has half a surrogate pair"),
        (envelope(data={}), STRUCTURED, "missing_field", "event_time: is missing"),
        (b"[1]", STRUCTURED, "wrong_type", "value: is no object; it must be a CloudEvent"),
        (envelope()[:-1], STRUCTURED, "not_json", "value: ends at byte"),
        (b"\xff", STRUCTURED, "not_utf8", "value: is not UTF-8"),
        (b" " * 65_537, STRUCTURED, "too_large", "value: has 65537 bytes"),
        (value_of(), STRUCTURED, "bad_cloud_event", "specversion: is missing or empty"),
        (b"", BINARY, "not_json", "value: ends at byte 0"),
        (value_of(), with_header("ce_source", b"x" * 65_537), "too_large", "header ce_source: has 65537 bytes"),
        (
            value_of(),
            [*BINARY, ("content-type", b"application/xml")],
            "unsupported_content",
            "content-type: is 'applic",
        ),
        (
            envelope(datacontenttype="application/xml"),
            STRUCTURED,
            "unsupported_content",
            "datacontenttype: is 'applica",
        ),
        (
            envelope(datacontenttype="application/json;charset=utf-16"),
            STRUCTURED,
            "unsupported_content",
            "datacontentt",
        ),
        (value_of(), [*BINARY, *STRUCTURED, *STRUCTURED], "bad_cloud_event", "header content-type: is there more than"),
    ],
)
def test_what_is_no_cloud_event_of_ours(value: bytes, headers: Headers, expected: str, detail: str) -> None:
    """The reason tells what to change: the envelope, the content or the event."""
    found = verdict(value, headers)
    assert isinstance(found, tuple)
    assert found[0] == expected
    assert detail in found[1]


@pytest.mark.parametrize(
    ("content_type", "detail"),
    [
        (b"application/cloudevents-batch+json", "content-type: is a batch of CloudEvents; each must be a record of it"),
        (b"application/cloudevents+avro", "content-type: is a format of CloudEvents other than application/cloudeven"),
        (
            b"application/cloudevents",
            "content-type: is a format of CloudEvents other than application/cloudevents+json",
        ),
        (b"application/cloudevents+json; charset=latin-1", "content-type: has the charset 'latin-1'; it must be utf"),
    ],
)
def test_formats_that_are_not_taken(content_type: bytes, detail: str) -> None:
    """Whatever the value is."""
    found = verdict(value_of(), [("content-type", content_type)])
    assert isinstance(found, tuple)
    assert found[0] == "unsupported_content"
    assert found[1].startswith(detail)


def test_misnamed_headers_come_first() -> None:
    """Nobody can tell what they say, whatever else there is."""
    assert reason(value_of(), [*BINARY, (HeaderName(b"\xff"), b"")]) == "bad_headers"
    assert reason(None, [(HeaderName(b"ce_\xff"), b"")]) == "bad_headers"


def test_batches_ask_headers_also_of_jobs_that_they_know() -> None:
    """A second event of a job may be a CloudEvent, or none that counts; a plain one goes the fastest way."""
    later = {**FIELDS, "sequence": 3, "status": "FINISHED"}
    tp, fold = TopicPartition("t", 0), RecordFold()
    fold.add(
        tp,
        [
            record(value_of(), []),
            record(envelope(data=later), STRUCTURED),
            record(value_of(sequence=9), with_header("ce_type", b"")),
            record(value_of(sequence=9), [(HeaderName(b"\xff"), b"")]),
            record(value_of(sequence=1), [("trace", b"")]),
        ],
    )
    assert [letter.reason for letter in fold.dead_letters] == ["bad_cloud_event", "bad_headers"]
    [[project]] = fold.stripes().values()
    alone = RecordFold()
    alone.add(tp, [record(json.dumps(later).encode(), [])])
    assert [[project]] == list(alone.stripes().values())


@settings(max_examples=examples(0.7))
@given(records(), st.booleans(), st.booleans())
def test_event_is_the_same_in_every_mode(given: tuple[bytes | None, bytes], is_base64: bool, is_spaced: bool) -> None:
    """Alone, structured and binary: the same event, or refused alike."""
    key, value = given
    try:
        expected: Any = decode(key, value)
    except InvalidRecordError as error:
        expected = None if error.reason in {"not_json", "not_utf8"} else error.reason
    binary = verdict(value, BINARY, key)
    members = [b'"%b":%b' % (name.encode(), json.dumps(text).encode()) for name, text in ATTRIBUTES.items()]
    data = b'"%b"' % base64.b64encode(value) if is_base64 else value
    members.insert(2, (b'"data_base64":' if is_base64 else b'"data": ') + data)
    structured = verdict((b"{\n%b }" if is_spaced else b"{%b}") % b", ".join(members), STRUCTURED, key)
    for found in (binary, structured):
        if expected == "missing_field" and found != expected:
            continue  # its event_id is missing
        if isinstance(expected, JobEvent):
            assert found == expected
        else:
            assert isinstance(found, tuple)
            assert expected in {None, found[0]}


@settings(max_examples=examples(1))
@given(
    valid_events,
    st.lists(st.tuples(st.sampled_from([*ATTRIBUTES, "data", "data_base64", "datacontenttype", "x"]), odd_json)),
    st.sampled_from([b"", b" ", b"x"]),
)
def test_fast_way_takes_nothing_else(fields: dict[str, Any], more: list[tuple[str, bytes]], behind: bytes) -> None:
    """Whatever is in a CloudEvent, the fast way gives what the strict way gives."""
    members = [(name, json.dumps(text).encode()) for name, text in {**ATTRIBUTES, "data": fields}.items()]
    value = b"{" + b",".join(b'"%b": %b' % (name.encode(), text) for name, text in [*members, *more]) + b"}" + behind
    found: list[Content | str] = []
    for way in (open_envelope, open_strictly):
        try:
            value.decode()
            found.append(way(value))
        except UnicodeDecodeError:
            return
        except InvalidRecordError as error:
            found.append(error.reason)
    assert found[0] == found[1]


def test_most_cloud_events_take_the_fast_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """The strict way takes thirty times as long."""
    monkeypatch.setattr("service.events.cloudevents.open_strictly", None)
    assert open_envelope(envelope()).event_id == ATTRIBUTES["id"]
    assert len(envelope()) < MAX_VALUE_BYTES
