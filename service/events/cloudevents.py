"""Takes CloudEvents 1.0 apart: finds the event in a record, and the id that the CloudEvent gives it. Pure, no I/O.

A record is a CloudEvent by its headers alone, in one of two modes (the Kafka protocol binding of CloudEvents):

- Structured: the header `content-type` begins with `application/cloudevents`, and the value is the CloudEvent.
- Binary: there is a header of a required attribute, such as `ce_id`, and the value is the event itself.

Attributes that are not required may be whatever they are. As in decoding, msgspec takes most structured CloudEvents
apart, and never one that `open_strictly` refuses, nor otherwise.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta

from service.events.decoding import MAX_VALUE_BYTES, InvalidRecordError, check_text
from service.events.json_members import NotJsonError, split_members
from service.events.wording import shown

Headers = Sequence[tuple[str, bytes | None]]

STRUCTURED = "application/cloudevents+json"
REQUIRED = ("specversion", "id", "source", "type")
"""The attributes that every CloudEvent has."""
VERSION = "1.0"

_CONTENT_TYPE = "content-type"
_FAMILY = b"application/cloudevents"
# Up to the next semicolon that is not in quotes. (email.message would take time quadratic in a header's size.)
_split_parameters = re.compile(r'(?:"(?:[^"\\]|\\.)*"?|[^;"])+', re.DOTALL).findall
_BINARY = {f"ce_{name}": name for name in REQUIRED}
_JUDGED = {*_BINARY, _CONTENT_TYPE}


_NotEmpty = Annotated[str, Meta(min_length=1)]


class _Envelope(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What is read of a CloudEvent in JSON."""

    specversion: Literal["1.0"]
    id: _NotEmpty
    source: _NotEmpty
    type: _NotEmpty
    datacontenttype: str | None = None
    data: msgspec.Raw
    data_base64: None = None


_decode_envelope = msgspec.json.Decoder(_Envelope).decode


class Content(NamedTuple):
    """Holds the event of a CloudEvent as JSON, and the CloudEvent's id."""

    value: bytes
    event_id: str


def is_cloud_event(headers: Headers) -> bool:
    """Tells whether headers say that their record is a CloudEvent, valid or not."""
    for name, text in headers:
        lower = name.lower()
        if lower in _BINARY or (lower == _CONTENT_TYPE and _is_of_family(text)):
            return True
    return False


def unwrap(value: bytes, headers: Headers) -> Content:
    """Returns the event of a record whose headers say that it is a CloudEvent; raises InvalidRecordError."""
    given: dict[str, bytes | None] = {}
    for name, text in headers:
        lower = name.lower()
        if lower in given:
            raise _bad(f"header {lower}: is there more than once")
        if lower in _JUDGED:
            given[lower] = text
    content_type = _header(_CONTENT_TYPE, given.get(_CONTENT_TYPE))
    if _is_of_family(given.get(_CONTENT_TYPE)):
        _check_format(content_type)
        return open_envelope(value)
    attributes = {header: _header(header, given.get(header)) for header in _BINARY}
    _check_attributes(attributes)
    _check_json(_CONTENT_TYPE, content_type)
    return Content(value, attributes["ce_id"])


def open_envelope(value: bytes) -> Content:
    """Returns the event of a CloudEvent in JSON, for `unwrap` and the command `check`; raises InvalidRecordError."""
    check_text(value)
    try:
        envelope = _decode_envelope(value)
        data = bytes(envelope.data)
    except (msgspec.MsgspecError, RecursionError):
        return open_strictly(value)
    if not data.startswith(b"{"):
        return open_strictly(value)
    _check_json("datacontenttype", envelope.datacontenttype or "")
    return Content(data, envelope.id)


def open_strictly(value: bytes) -> Content:
    """Returns the event of a CloudEvent in JSON, which is UTF-8; raises InvalidRecordError with what is wrong."""
    try:
        members = split_members(value)
    except NotJsonError as error:
        raise InvalidRecordError("not_json", f"value: {error}") from None
    if members is None:
        raise InvalidRecordError("wrong_type", "value: is no object; it must be a CloudEvent")
    attributes = {name: _attribute(members, name) for name in REQUIRED}
    _check_attributes(attributes)
    _check_json("datacontenttype", _attribute(members, "datacontenttype"))
    return Content(_data(members), attributes["id"])


def _is_of_family(content_type: bytes | None) -> bool:
    return content_type is not None and content_type[:64].lstrip().lower().startswith(_FAMILY)


def _header(name: str, text: bytes | None) -> str:
    """Returns the text of a header, empty if there is none. Raises InvalidRecordError."""
    if not text:
        return ""
    if len(text) > MAX_VALUE_BYTES:
        raise InvalidRecordError(
            "too_large", f"header {name}: has {len(text)} bytes; at most {MAX_VALUE_BYTES} are allowed"
        )
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise _bad(f"header {name}: is not UTF-8") from None


def _attribute(members: Mapping[str, bytes], name: str) -> str:
    """Returns the text of an attribute, empty if there is none. Raises InvalidRecordError."""
    raw = members.get(name, b"null")
    if raw == b"null":
        return ""
    if not raw.startswith(b'"'):
        raise _bad(f"{name}: must be a string")
    text: str = json.loads(raw)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidRecordError("not_json", f"{name}: has half a surrogate pair, which is no character") from None
    return text


def _check_attributes(attributes: Mapping[str, str]) -> None:
    if not all(attributes.values()):
        missing = next(name for name, text in attributes.items() if not text)
        raise _bad(f"{missing}: is missing or empty; a CloudEvent has {', '.join(attributes)}")
    name, version = next(iter(attributes.items()))
    if version != VERSION:
        raise _bad(f"{name}: is {shown(version)}; it must be {VERSION}")


def _check_format(content_type: str) -> None:
    """Checks the content type of a record in structured mode. Raises InvalidRecordError."""
    media_type, charset = _parse(content_type)
    if media_type.startswith("application/cloudevents-batch"):
        raise _unsupported(f"{_CONTENT_TYPE}: is a batch of CloudEvents; each must be a record of its own")
    if media_type != STRUCTURED:
        raise _unsupported(f"{_CONTENT_TYPE}: is a format of CloudEvents other than {STRUCTURED}")
    _check_charset(_CONTENT_TYPE, charset)


def _check_json(name: str, content_type: str) -> None:
    """Checks the content type of the event, which none says to be JSON as well. Raises InvalidRecordError."""
    media_type, charset = _parse(content_type)
    if media_type not in {"", "application/json", "text/json"} and not media_type.endswith("+json"):
        raise _unsupported(f"{name}: is {shown(media_type)}; the data must be JSON (application/json)")
    _check_charset(name, charset)


def _check_charset(name: str, charset: str) -> None:
    if charset not in {"utf-8", "utf8", "us-ascii"}:
        raise _unsupported(f"{name}: has the charset {shown(charset)}; it must be utf-8")


@lru_cache(maxsize=64)
def _parse(content_type: str) -> tuple[str, str]:
    """Returns the media type and the charset, in lower case."""
    media_type, _, rest = content_type.lower().partition(";")
    parameters: list[str] = _split_parameters(rest)
    pairs = (each.partition("=") for each in parameters)
    charsets = (text.strip(' \t"') for name, _, text in pairs if name.strip() == "charset")
    return media_type.strip(), next(charsets, "utf-8")


def _data(members: Mapping[str, bytes]) -> bytes:
    given = [name for name in ("data", "data_base64") if members.get(name, b"null") != b"null"]
    if len(given) != 1:
        problem = "are both there; one is allowed" if given else "are missing; one must hold the event"
        raise _bad(f"data and data_base64: {problem}")
    if given == ["data_base64"]:
        try:
            return base64.b64decode(_attribute(members, "data_base64"), validate=True)
        except (binascii.Error, ValueError):
            raise _bad("data_base64: is not Base64") from None
    if not members["data"].startswith(b"{"):
        raise InvalidRecordError("wrong_type", "data: is no object; it must be one with the fields of an event")
    return members["data"]


def _bad(detail: str) -> InvalidRecordError:
    return InvalidRecordError("bad_cloud_event", detail)


def _unsupported(detail: str) -> InvalidRecordError:
    return InvalidRecordError("unsupported_content", detail)
