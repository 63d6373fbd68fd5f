"""The library's event: the record that it makes, what it refuses, and that the decoder is the judge."""

import json
import pickle
import uuid
from copy import copy
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gene_statistics import InvalidEventError, JobEvent, JobStatus
from gene_statistics.event import deletion_key
from service.events.decoding import InvalidRecordError, decode
from service.events.event import JobDeletion
from service.events.schema import JobEventModel
from tests.examples import examples
from tests.unit.test_decoding import EVENT, FIELDS, KEY

REQUIRED = {name: FIELDS[name] for name, field in JobEventModel.model_fields.items() if field.is_required()}


def test_it_takes_the_fields_of_the_wire_and_is_their_record() -> None:
    """Each by its name; the value has them all, and the key names the job."""
    event = JobEvent(**FIELDS)
    assert {name: getattr(event, name) for name in FIELDS} == FIELDS
    assert json.loads(event.value) == FIELDS
    assert event.key == KEY
    assert decode(event.key, event.value) == EVENT
    assert set(JobEventModel.model_fields) == set(FIELDS)


def test_what_may_be_left_out() -> None:
    """An id is made, another for each event; what else is absent is absent on the wire."""
    without = {name: value for name, value in REQUIRED.items() if name != "event_id"}
    first, second = JobEvent(**without), JobEvent(**without)
    assert len({first.event_id, second.event_id}) == 2
    assert uuid.UUID(hex=first.event_id).version == 4
    assert json.loads(first.value) == {**without, "event_id": first.event_id}
    assert (first.job_type, first.sequence) == (None, None)


@pytest.mark.parametrize("status", JobStatus)
def test_a_status_is_a_name_or_one_of_the_enum(status: JobStatus) -> None:
    """The field has the name."""
    assert JobEvent(**FIELDS | {"status": status}) == JobEvent(**FIELDS | {"status": status.name})
    assert JobEvent(**FIELDS | {"status": status}).status == status.name


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=8))], ids=["UTC", "+8"])
def test_times_are_datetimes_with_a_zone(zone: timezone) -> None:
    """Rounded down to the millisecond, exactly, also before what a double holds of microseconds."""
    at = datetime(2018, 7, 26, 11, 47, 51, 2_999, UTC).astimezone(zone)
    event = JobEvent(**FIELDS | {"event_time": at, "start_time": datetime(9999, 12, 31, 23, 59, 59, 999_999, UTC)})
    assert (event.event_time, event.start_time) == (1_532_605_671_002, 253_402_300_799_999)


BAD: dict[str, tuple[dict[str, Any], str, str]] = {
    "datetime without a zone": ({"event_time": datetime(2026, 1, 1)}, "wrong_type", "event_time"),
    "datetime before 1970": ({"start_time": datetime(1969, 1, 1, tzinfo=UTC)}, "out_of_bounds", "start_time"),
    "id with a slash": ({"job_id": "a/b"}, "out_of_bounds", "job_id"),
    "no text": ({"user_name": None}, "wrong_type", "user_name"),
    "UUID that is no text": ({"job_id": uuid.uuid4()}, "wrong_type", "job_id"),
    "control character": ({"user_name": "a\x00"}, "out_of_bounds", "user_name"),
    "half a surrogate pair": ({"user_name": "\ud800"}, "not_json", "user_name"),
    "half a surrogate pair in an id": ({"project_id": "\ud800"}, "not_json", "project_id"),
    "unknown status": ({"status": "DONE"}, "out_of_bounds", "status"),
    "number of a status": ({"status": 1}, "wrong_type", "status"),
    "fraction": ({"input_size": 1.0}, "wrong_type", "input_size"),
    "no number": ({"input_size": float("nan")}, "wrong_type", "input_size"),
    "truth": ({"input_size": True}, "wrong_type", "input_size"),
    "thousands of digits": ({"input_size": 10**5000}, "out_of_bounds", "input_size"),
    "thousands of digits below zero": ({"input_size": -(10**5000)}, "out_of_bounds", "input_size"),
    "sequence zero": ({"sequence": 0}, "out_of_bounds", "sequence"),
    "empty event id": ({"event_id": ""}, "out_of_bounds", "event_id"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_valid_is_refused_by_name(name: str) -> None:
    """With the field, and the reason that a dead letter would have."""
    changes, reason, field = BAD[name]
    with pytest.raises(ValueError, match=f"^{reason}: {field}: ") as refused:
        JobEvent(**FIELDS | changes)
    assert isinstance(refused.value, InvalidEventError)
    assert (refused.value.reason, refused.value.field) == (reason, field)


VALUES = [
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
    st.sampled_from(["RUNNING", "a", 2**53]),
]


@settings(max_examples=examples(2))
@given(st.sampled_from(sorted(FIELDS)), st.one_of(VALUES))
def test_the_words_are_those_of_the_decoder(name: str, value: object) -> None:
    """Whatever JSON can hold in a field: refused here with the same words as there, or taken by both."""
    changed = {**FIELDS, name: value}
    if value is None and name in {"event_id", "job_type", "sequence"}:
        changed[name] = "made" if name == "event_id" else None  # a producer's None is an absent field
    key = f"{changed['project_id']}/{changed['job_id']}".encode(errors="surrogatepass")
    assert verdict_here({**FIELDS, name: value}) == verdict_there(key, json.dumps(changed).encode())


def verdict_here(fields: dict[str, Any]) -> object:
    """The event as a consumer decodes it, or the words of the library's refusal."""
    try:
        event = JobEvent(**fields)
    except InvalidEventError as error:
        return error.reason, error.detail
    return decode(event.key, event.value)


def verdict_there(key: bytes, value: bytes) -> object:
    """The decoder's event, or the words of its refusal."""
    try:
        return decode(key, value)
    except InvalidRecordError as error:
        return error.reason, error.detail


def test_another_event_of_it() -> None:
    """`dataclasses.replace` judges anew, and makes the record anew."""
    first = JobEvent(**FIELDS)
    second = replace(first, status="FINISHED", sequence=3)
    assert json.loads(second.value) == {**FIELDS, "status": "FINISHED", "sequence": 3}
    with pytest.raises(InvalidEventError, match="sequence"):
        replace(first, sequence=0)


def test_it_is_a_value() -> None:
    """Equal by its fields, a member of sets, and the same in another process."""
    event = JobEvent(**FIELDS)
    assert {event, JobEvent(**FIELDS), pickle.loads(pickle.dumps(event)), copy(event)} == {event}  # noqa: S301 - ours
    assert pickle.loads(pickle.dumps(event)).value == event.value  # noqa: S301 - ours


def test_the_key_of_a_deletion() -> None:
    """It names a job, or is refused as the decoder refuses it."""
    assert decode(deletion_key("p", "j"), None) == JobDeletion("p", "j")
    for project_id, job_id in (("p", "a/b"), ("", "j"), ("p", "\ud800"), ("p", "x" * 65)):
        with pytest.raises(InvalidEventError, match=r"^bad_key: "):
            deletion_key(project_id, job_id)
