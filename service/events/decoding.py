"""Decodes Kafka records into job events and deletions, or says why a record is neither.

This is the first step of a record after it was polled. Two ways lead to one verdict. `decode_fast` (msgspec) decodes
the events that are plainly valid, which is nearly every record. Every other record goes to `decode_strictly`
(pydantic), which decides, and gives the event or the reason. `decode_fast` never accepts a record that
`decode_strictly` refuses, and never gives another event for it. Neither judges unknown fields, but the whole value must
be JSON.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Annotated, Literal

import msgspec
import pydantic_core
from msgspec import Meta
from pydantic import ValidationError

from service.events.event import MAX_MS, MAX_SEQUENCE, MAX_SIZE_BYTES, JobDeletion, JobEvent, JobStatus
from service.events.json_members import NotJsonError, split_members
from service.events.schema import MAX_TEXT_CHARS, MAX_USER_NAME_CHARS, JobEventModel, StatusName
from service.events.wording import describe

MAX_VALUE_BYTES = 65_536
MAX_DETAIL_CHARS = 500

_ID_BYTES = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
# translates every byte that is in no key to another one
_CHARACTERS_OF_KEYS = bytes(each if each in b"/" + _ID_BYTES else each == 0 for each in range(256))
_match_key = re.compile(rb"([A-Za-z0-9_-]{1,64})/([A-Za-z0-9_-]{1,64})").fullmatch
_STATUS_OF_NAME = dict(JobStatus.__members__)

Reason = Literal[
    "not_utf8",
    "not_json",
    "missing_field",
    "wrong_type",
    "out_of_bounds",
    "too_large",
    "bad_key",
    "key_mismatch",
    "tombstone_without_key",
    "bad_headers",
    "bad_cloud_event",
    "unsupported_content",
    "refused",
]
"""Says why a record is a dead letter. `bad_headers`: a header's name is not UTF-8, whatever else the record is.
`bad_cloud_event` and `unsupported_content`: the headers say that the record is a CloudEvent, and it is none, or one
whose content is not JSON. `refused`: the record is an event that the store refused, and the detail has the store's
words."""


class InvalidRecordError(Exception):
    """A record is no event and no deletion: `reason` is one of `Reason`, `detail` names the field and what is wrong.

    The detail has at most MAX_DETAIL_CHARS characters. It may repeat up to 200 characters of the record, printable
    ASCII: a status or a number that is wrong, a key that names another job.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        self.reason: Reason = reason
        self.detail = detail[:MAX_DETAIL_CHARS]
        super().__init__(f"{reason}: {self.detail}")


_Text = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT_CHARS)]
_Milliseconds = Annotated[int, Meta(ge=0, le=MAX_MS)]


class _WireEvent(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The fields of an event in the order that they have on the wire, which msgspec decodes fastest.

    `decode_fast` checks the characters of its texts afterwards.
    """

    event_id: _Text
    event_time: _Milliseconds
    project_id: _Text
    user_id: _Text
    user_name: Annotated[str, Meta(min_length=1, max_length=MAX_USER_NAME_CHARS)]
    job_id: _Text
    job_type: _Text | None = None
    status: StatusName
    start_time: _Milliseconds
    input_size: Annotated[int, Meta(ge=0, le=MAX_SIZE_BYTES)]
    sequence: Annotated[int, Meta(ge=1, le=MAX_SEQUENCE)] | None = None


class _WireData(_WireEvent, frozen=True, gc=False, kw_only=True):
    """The fields of an event whose id may stand outside of it."""

    event_id: _Text = "-"


_decode_wire = msgspec.json.Decoder(_WireEvent).decode
_decode_data = msgspec.json.Decoder(_WireData).decode


def decode(key: bytes | None, value: bytes | None, event_id: str | None = None) -> JobEvent | JobDeletion:
    """Returns the event or deletion that a record holds; raises InvalidRecordError.

    `event_id`, which is not empty, stands in for the field of that name if the value does not have it.
    """
    if value is None:
        return _decode_tombstone(key)
    return decode_fast(key, value, event_id) or decode_strictly(key, value, event_id)


def decode_fast(key: bytes | None, value: bytes, event_id: str | None = None) -> JobEvent | None:
    """Returns the event, or None if only `decode_strictly` can tell whether the value is one."""
    wire = _read(value) if event_id is None or len(event_id) > MAX_TEXT_CHARS else _read(value, _decode_data)
    if wire is None:
        return None
    project_id, user_id, job_id = _valid_id(wire.project_id), _valid_id(wire.user_id), wire.job_id
    record_key = f"{project_id}/{job_id}".encode()
    if (
        project_id is None
        or user_id is None
        or (key is not None and key != record_key)
        or record_key.translate(_CHARACTERS_OF_KEYS) != record_key
        or "/" in job_id
        # Every control character is unprintable; decode_strictly judges names with other unprintable characters.
        or not wire.user_name.isprintable()
    ):
        return None
    return JobEvent(
        project_id,
        job_id,
        user_id,
        wire.user_name,
        _STATUS_OF_NAME[wire.status],
        wire.event_time,
        wire.start_time,
        wire.input_size,
        wire.sequence or 0,
    )


def decode_next(value: bytes, known: JobEvent) -> JobEvent | None:
    """Returns the event if its job, user and name are those of `known`, a valid event under the same key; else None.

    Texts that equal those of a valid event need no check, and in a batch most events follow another of their job.
    """
    wire = _read(value)
    if (
        wire is None
        or wire.job_id != known.job_id
        or wire.project_id != known.project_id
        or wire.user_id != known.user_id
        or wire.user_name != known.user_name
    ):
        return None
    return JobEvent(
        known.project_id,  # the texts that are there already, as less memory is in use then
        known.job_id,
        known.user_id,
        known.user_name,
        _STATUS_OF_NAME[wire.status],
        wire.event_time,
        wire.start_time,
        wire.input_size,
        wire.sequence or 0,
    )


def _read(value: bytes, decode_wire: Callable[[bytes], _WireEvent] = _decode_wire) -> _WireEvent | None:
    """Returns the fields, checked but for the characters of texts; None if only `decode_strictly` can judge them."""
    if len(value) > MAX_VALUE_BYTES:
        return None
    try:
        if not value.isascii():
            value.decode()  # msgspec does not look at the encoding of unknown fields
        return decode_wire(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):  # RecursionError: an unknown field is too deep
        return None


@lru_cache(maxsize=65_536)
def _valid_id(text: str) -> str | None:
    """Returns the text if all characters may stand in an id, else None.

    Events of few projects and users follow each other. They share these texts, and so need less memory.
    """
    return None if text.encode().translate(None, _ID_BYTES) else text


def decode_strictly(key: bytes | None, value: bytes, event_id: str | None = None) -> JobEvent:
    """Returns the event; raises InvalidRecordError with the first thing that is wrong."""
    check_text(value)
    stands_in = False
    try:
        fields = _read_fields(value)
        if event_id is not None and isinstance(fields, dict) and "event_id" not in fields:
            fields["event_id"], stands_in = event_id, True
        event = JobEventModel.model_validate(fields).to_event()
    except ValidationError as error:
        reason, detail = describe(error)
        if stands_in and detail.startswith("event_id: "):  # a field that the value does not have
            detail = f"id of the CloudEvent, in place of {detail}"
        raise InvalidRecordError(reason, detail) from None
    except NotJsonError as error:
        raise InvalidRecordError("not_json", f"value: {error}") from None
    if key is not None and key != f"{event.project_id}/{event.job_id}".encode():
        if not _match_key(key):
            raise _bad_key()
        raise InvalidRecordError(
            "key_mismatch", f"key: names the job {key.decode()}; project_id and job_id of the value name another"
        )
    return event


def check_text(value: bytes) -> None:
    """Checks that a value is UTF-8 and not too large. Raises InvalidRecordError."""
    if len(value) > MAX_VALUE_BYTES:
        raise too_large(len(value))
    try:
        value.decode()
    except UnicodeDecodeError as error:
        wrong = f"0x{value[error.start]:02X} at byte {error.start}"
        raise InvalidRecordError("not_utf8", f"value: is not UTF-8: {wrong} ({error.reason})") from None


def too_large(size_bytes: int) -> InvalidRecordError:
    """Returns the error of a value of so many bytes."""
    return InvalidRecordError("too_large", f"value: has {size_bytes} bytes; at most {MAX_VALUE_BYTES} are allowed")


def _read_fields(value: bytes) -> object:
    """Returns the document, maybe without its unknown fields. Raises NotJsonError, InvalidRecordError."""
    try:
        return pydantic_core.from_json(value, allow_inf_nan=False)
    except ValueError:  # it may still be JSON: the parser has limits, which must not hold for unknown fields
        members = split_members(value)
    return members and {name: _parse(name, members[name]) for name in JobEventModel.model_fields if name in members}


def _parse(name: str, text: bytes) -> object:
    """Returns the value of a known field, or one that is not valid for the same reason. Raises InvalidRecordError."""
    if text.startswith((b"[", b"{")):
        return ()  # no field takes an array or an object, whatever is in it, and however deep
    try:
        return pydantic_core.from_json(text)
    except ValueError:
        if text.startswith(b'"'):
            raise InvalidRecordError("not_json", f"{name}: has half a surrogate pair, which is no character") from None
        return -(10**30) if text.startswith(b"-") else 10**30  # more digits than the parser takes


def _decode_tombstone(key: bytes | None) -> JobDeletion:
    if key is None:
        raise InvalidRecordError(
            "tombstone_without_key", "key: is missing, and so is the value; a deletion names its job by the key"
        )
    match = _match_key(key)
    if match is None:
        raise _bad_key()
    return JobDeletion(match[1].decode(), match[2].decode())


def _bad_key() -> InvalidRecordError:
    return InvalidRecordError(
        "bad_key", "key: is not {project_id}/{job_id}; each must be 1 to 64 characters of A-Z a-z 0-9 _ -"
    )
