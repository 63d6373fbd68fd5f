"""Records to events: what is valid, why something is not, and that both ways of decoding agree."""

import json
import unicodedata
from typing import Any

import pydantic_core
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from service.events.decoding import (
    MAX_DETAIL_CHARS,
    MAX_VALUE_BYTES,
    InvalidRecordError,
    decode,
    decode_fast,
    decode_strictly,
)
from service.events.event import MAX_MS, MAX_SEQUENCE, JobDeletion, JobEvent, JobStatus
from service.events.json_members import NotJsonError, split_members
from tests.examples import examples

FIELDS: dict[str, Any] = {
    "event_id": "3f0c4a9e8f5d4d0d9f7f0a0e4c1b2a39",
    "event_time": 1_532_605_671_002,
    "project_id": "e9993fc787d94b6c886cbaa340f9c0f4",
    "user_id": "0b1c2d3e4f5a4b6c8d7e9f0a1b2c3d4e",
    "user_name": "test",
    "job_id": "180b9816-fb9f-454a-9537-09bee18834e0",
    "job_type": "DNA_GERMLINE",
    "status": "RUNNING",
    "start_time": 1_532_605_670_471,
    "input_size": 729_092_919,
    "sequence": 2,
}
KEY = f"{FIELDS['project_id']}/{FIELDS['job_id']}".encode()
EVENT = JobEvent(
    project_id=FIELDS["project_id"],
    job_id=FIELDS["job_id"],
    user_id=FIELDS["user_id"],
    user_name="test",
    status=JobStatus.RUNNING,
    event_time_ms=1_532_605_671_002,
    start_time_ms=1_532_605_670_471,
    input_size_bytes=729_092_919,
    sequence=2,
)
CONTROL_CHARACTERS = [chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) == "Cc"]


def value_of(**changes: Any) -> bytes:
    return json.dumps({**FIELDS, **changes}).encode()


def with_raw(**changes: bytes) -> bytes:
    """The event with some fields (or more fields) written exactly as given."""
    raw = {name: json.dumps(value).encode() for name, value in FIELDS.items()} | changes
    return b"{" + b",".join(b'"%b":%b' % (name.encode(), text) for name, text in raw.items()) + b"}"


def without(name: str) -> bytes:
    return json.dumps({field: value for field, value in FIELDS.items() if field != name}).encode()


def refusal_of(key: bytes | None, value: bytes | None) -> InvalidRecordError:
    with pytest.raises(InvalidRecordError) as caught:
        decode(key, value)
    return caught.value


def strict_verdict(key: bytes | None, value: bytes) -> JobEvent | None:
    try:
        return decode_strictly(key, value)
    except InvalidRecordError:
        return None


def assert_agreement(key: bytes | None, value: bytes) -> None:
    fast = decode_fast(key, value)
    if fast is not None:
        assert strict_verdict(key, value) == fast


@pytest.mark.parametrize("key", [KEY, None])
def test_a_typical_event_is_decoded_the_same_by_both_ways(key: bytes | None) -> None:
    """A valid event, with its key or without one, has every field in its place, by either way."""
    assert decode_fast(key, value_of()) == EVENT
    assert decode_strictly(key, value_of()) == EVENT
    assert decode(key, value_of()) == EVENT


@pytest.mark.parametrize("status", JobStatus)
def test_every_status_is_decoded_by_name(status: JobStatus) -> None:
    """Each state's name becomes that state, with its rank."""
    for way in (decode_fast, decode_strictly):
        event = way(KEY, value_of(status=status.name))
        assert event is not None
        assert event.status is status


@pytest.mark.parametrize("value", [without("sequence"), value_of(sequence=None)])
def test_a_sequence_that_is_null_or_absent_is_zero(value: bytes) -> None:
    """An event without a sequence orders before every event that has one."""
    for way in (decode_fast, decode_strictly):
        event = way(KEY, value)
        assert event is not None
        assert event.sequence == 0


@pytest.mark.parametrize("value", [without("job_type"), value_of(job_type=None)])
def test_a_job_type_may_be_null_or_absent(value: bytes) -> None:
    """The job's type is optional, and null is the same as absent."""
    assert decode_fast(KEY, value) == EVENT
    assert decode_strictly(KEY, value) == EVENT


@pytest.mark.parametrize(
    "value",
    [
        value_of(note="ä", more=[1, {"deep": [None, True, 1.5e300]}], **{"": -1}),
        with_raw(x=b"1e999"),
        with_raw(x=b'"cut \\ud83d"'),
        with_raw(x=b'{"a":["\\udc00\\ud800"]}'),
        with_raw()[:-1] + b',"cut \\ud83d":1}',
        with_raw(x=b"1" * 5_000),
        with_raw(x=b"-" + b"1" * 60_000),
        with_raw(x=b"[" * 300 + b"]" * 300),
        with_raw(x=b"[" * 32_000 + b"]" * 32_000),
        with_raw(x=b'{"":[ ' * 6_000 + b"1" + b" ] }" * 6_000),
        with_raw(x=b'"' + b"[" * 1000 + b'"'),
        value_of(x="y" * 30_000),
        b'{"user_name":"cut \\ud83d","input_size":%b,' % (b"1" * 5_000) + value_of()[1:],
    ],
    ids=[
        "mixed",
        "huge float",
        "half a pair",
        "halves nested",
        "half a pair in a name",
        "many digits",
        "most digits",
        "deep",
        "deepest",
        "deep objects",
        "brackets in a string",
        "long",
        "of known names, but not the last",
    ],
)
def test_unknown_fields_are_ignored(value: bytes) -> None:
    """Whatever else a valid event holds changes nothing."""
    assert decode(KEY, value) == EVENT


@pytest.mark.parametrize(
    ("field", "raw", "reason"),
    [
        ("user_name", b'"cut \\ud83d"', "not_json"),
        ("user_name", b"1" * 5_000, "wrong_type"),
        ("input_size", b"1" * 5_000, "out_of_bounds"),
        ("input_size", b"-" + b"1" * 5_000, "out_of_bounds"),
        ("input_size", b"[" * 30_000 + b"]" * 30_000, "wrong_type"),
        ("user_id", b'{"":' * 300 + b"1" + b"}" * 300, "wrong_type"),
    ],
)
def test_known_fields_are_judged_whatever_a_parser_takes(field: str, raw: bytes, reason: str) -> None:
    """What a parser has limits for is refused in a known field, for what is wrong with that field, which is named."""
    error = refusal_of(KEY, with_raw(**{field: raw}))
    assert (error.reason, error.detail.partition(":")[0]) == (reason, field)


@pytest.mark.parametrize(
    "name",
    ["王小明", "a\u3000b", "x" * 128, "😀" * 128, " ", "Zo\u00eb", "a\u200db", "\ue000"],
)
def test_user_names_may_have_any_other_character(name: str) -> None:
    """Only control characters are kept out of names, and their length is counted in characters."""
    for value in (value_of(user_name=name), json.dumps({**FIELDS, "user_name": name}, ensure_ascii=False).encode()):
        event = decode(KEY, value)
        assert isinstance(event, JobEvent)
        assert event.user_name == name


@pytest.mark.parametrize("way", [decode, decode_strictly])
def test_no_control_character_gets_into_a_user_name(way: Any) -> None:
    """All of Unicode's category Cc is refused, at either end and in the middle."""
    assert len(CONTROL_CHARACTERS) == 65
    for character in CONTROL_CHARACTERS:
        for name in (character, f"a{character}", f"{character}a", f"a{character}a"):
            with pytest.raises(InvalidRecordError, match=r"^out_of_bounds: user_name"):
                way(KEY, value_of(user_name=name))


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("event_id", ["e", "é" * 64], ["", "e" * 65]),
        ("event_time", [0, MAX_MS], [-1, MAX_MS + 1, 10**30]),
        ("user_id", ["u", "_-" * 32], ["", "u" * 65, "u u", "u/u", "ü", "u\n", "\u0661"]),
        ("user_name", ["u", "u" * 128], ["", "u" * 129]),
        ("job_type", ["t", "t" * 64], ["", "t" * 65]),
        ("status", ["FAILED"], ["failed", "", "UNKNOWN", "FAILED "]),
        ("start_time", [0, MAX_MS], [-1, MAX_MS + 1]),
        ("input_size", [0, MAX_MS], [-1, MAX_MS + 1]),
        ("sequence", [1, MAX_SEQUENCE], [0, -1, MAX_SEQUENCE + 1]),
    ],
)
def test_bounds(field: str, good: list[object], bad: list[object]) -> None:
    """Values at their bounds are valid by both ways; those beyond are out of bounds, naming the field."""
    for value in good:
        assert decode_fast(KEY, value_of(**{field: value})) == decode_strictly(KEY, value_of(**{field: value}))
    for value in bad:
        error = refusal_of(KEY, value_of(**{field: value}))
        assert (error.reason, error.detail.partition(":")[0]) == ("out_of_bounds", field)


@pytest.mark.parametrize("field", ["project_id", "job_id"])
@pytest.mark.parametrize("bad", ["", "x" * 65, "a/b", "a b", "ä", "a\n", "{a}"])
def test_bounds_of_the_ids_in_the_key(field: str, bad: str) -> None:
    """A project or job id is judged by its own bounds, with no key and with a key that repeats it."""
    fields = {**FIELDS, field: bad}
    for key in (None, f"{fields['project_id']}/{fields['job_id']}".encode()):
        error = refusal_of(key, value_of(**{field: bad}))
        assert (error.reason, error.detail.partition(":")[0]) == ("out_of_bounds", field)


@pytest.mark.parametrize("field", [name for name in FIELDS if name not in ("job_type", "sequence")])
def test_a_missing_field_is_named(field: str) -> None:
    """Every field but the two optional ones is required, and null does not stand for it."""
    error = refusal_of(KEY, without(field))
    assert (error.reason, error.detail.partition(":")[0]) == ("missing_field", field)
    assert refusal_of(KEY, value_of(**{field: None})).reason in {"wrong_type", "out_of_bounds"}


@pytest.mark.parametrize("raw", [b"1.0", b"1e3", b"true", b'"1"', b"[1]", b"{}", b"-0.0"])
@pytest.mark.parametrize("field", ["event_time", "start_time", "input_size", "sequence"])
def test_only_integers_are_integers(field: str, raw: bytes) -> None:
    """No float, boolean, string or container passes for a number."""
    error = refusal_of(KEY, with_raw(**{field: raw}))
    assert (error.reason, error.detail.partition(":")[0]) == ("wrong_type", field)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b" ",
        b"{",
        b"not json",
        b"\xef\xbb\xbf" + value_of(),
        value_of() + b"x",
        value_of() + b"\x00",
        value_of()[:-1] + b",}",
        with_raw(x=b"NaN"),
        with_raw(x=b"-Infinity"),
        with_raw(x=b"01"),
        with_raw(x=b'"\x01"'),
        with_raw(x=b'"\\ud800", "y": NaN'),
        with_raw(x=b'"\\ud800\x01"'),
        with_raw(x=b"[" * 60_000),
        with_raw(x=b"[" * 300 + b"]" * 299),
        with_raw(x=b"[" * 300 + b"]" * 299 + b"}"),
        with_raw(x=b"[" * 300 + b"1," + b"]" * 300),
        with_raw(x=b"0" * 5_000),
        b"[" * 65_000,
    ],
)
def test_what_is_not_json_is_said_to_be(value: bytes) -> None:
    """Truncation, a byte order mark, trailing bytes, NaN and the like are not JSON."""
    assert refusal_of(KEY, value).reason == "not_json"


@pytest.mark.parametrize("raw", [b'"\xff"', b'"\xc0\x80"', b'"\xed\xa0\x80"', b'"\xe4\xb8"'])
@pytest.mark.parametrize("field", ["user_name", "unknown"])
def test_what_is_not_utf8_is_said_to_be(field: str, raw: bytes) -> None:
    """Bytes that are not UTF-8 make a record invalid, also in a field that nobody reads."""
    assert refusal_of(KEY, with_raw(**{field: raw})).reason == "not_utf8"


@pytest.mark.parametrize("value", [b"null", b"[]", b"1", b'"text"', b"true"])
def test_json_that_is_no_object_has_the_wrong_type(value: bytes) -> None:
    """JSON null is not Kafka's null: neither it nor a list or scalar is an event or a deletion."""
    assert refusal_of(KEY, value).reason == "wrong_type"


def test_the_largest_value_is_taken_and_one_byte_more_is_too_large() -> None:
    """The limit of a value's size is exact."""
    value = value_of()
    assert decode(KEY, value + b" " * (MAX_VALUE_BYTES - len(value))) == EVENT
    assert refusal_of(KEY, value + b" " * (MAX_VALUE_BYTES - len(value) + 1)).reason == "too_large"


@pytest.mark.parametrize(
    "key", [b"", b"/", b"a", b"a/", b"/b", b"a/b/c", b"a/\xff", KEY + b"\n", b" " + KEY, b"a" * 65 + b"/b"]
)
@pytest.mark.parametrize("value", [value_of(), None])
def test_a_key_of_another_form_is_bad(key: bytes, value: bytes | None) -> None:
    """A key that is there must be a project and a job id, for an event as for a deletion."""
    assert refusal_of(key, value).reason == "bad_key"


@pytest.mark.parametrize("key", [b"a/b", KEY[:-1], KEY[1:], KEY + b"0", KEY.upper()])
def test_a_key_that_names_another_job_is_a_mismatch(key: bytes) -> None:
    """The key must be that of the job in the value."""
    assert refusal_of(key, value_of()).reason == "key_mismatch"


def test_a_null_value_deletes_the_job_in_the_key() -> None:
    """A tombstone is a deletion of the job that its key names; without a key it names none."""
    expected = JobDeletion(FIELDS["project_id"], FIELDS["job_id"])
    assert decode(KEY, None) == expected
    assert refusal_of(None, None).reason == "tombstone_without_key"


def test_of_a_field_given_twice_the_last_counts() -> None:
    """Duplicate names in the JSON mean their last value, valid or not, by both ways."""
    good_last = b'{"sequence":7,"user_name":1,' + value_of()[1:]
    assert decode(KEY, good_last) == EVENT
    assert decode_fast(KEY, b'{"sequence":7,' + value_of()[1:]) == EVENT
    assert refusal_of(KEY, value_of()[:-1] + b',"sequence":0}').reason == "out_of_bounds"


@pytest.mark.parametrize(
    ("key", "value", "detail"),
    [
        (KEY, without("event_time"), "event_time: is missing; it must be an integer from 0 to 9007199254740991"),
        (KEY, value_of(input_size="1"), "input_size: is a string; it must be an integer from 0 to 9007199254740991"),
        (KEY, value_of(sequence=[]), "sequence: is an array; it must be an integer from 1 to 2147483647, or left out"),
        (KEY, with_raw(start_time=b"1.0"), "start_time: is a number with a fraction or an exponent; it must be an"),
        (KEY, value_of(status=None), "status: is null; it must be one of LAUNCHING, RUNNING, CANCELING, FAILED, FINI"),
        (
            KEY,
            value_of(status="Failed"),
            "status: is 'Failed'; it must be one of LAUNCHING, RUNNING, CANCELING, FAILED",
        ),
        (KEY, value_of(status="\x1b[2J\x7fé"), "status: is '\\x1b[2J\\x7f\\xe9'; it must be one of"),
        (KEY, value_of(sequence=0), "sequence: is 0; it must be an integer from 1 to 2147483647, or left out"),
        (KEY, value_of(event_time=-(10**30)), "event_time: is an integer of more than 19 digits; it must be"),
        (KEY, with_raw(event_time=b"1" * 5_000), "event_time: is an integer of more than 19 digits; it must be"),
        (
            KEY,
            value_of(job_type=""),
            "job_type: is a string of 0 characters; it must be a string of 1 to 64 characters",
        ),
        (
            KEY,
            value_of(user_name="王小明\n"),
            "user_name: is a string with U+000A as character 4;"
            " it must be a string of 1 to 128 characters, none of them a control character",
        ),
        (
            KEY,
            value_of(user_id="a b"),
            "user_id: is a string with U+0020 as character 2;"
            " it must be a string of 1 to 64 characters of A-Z a-z 0-9 _ -",
        ),
        (
            None,
            b'{"event_id":"e","status":1,"project_id":""}',
            "event_time: is missing; it must be an integer from 0 to 9007199254740991."
            " Also wrong: project_id, user_id, user_name, job_id, status, start_time, input_size",
        ),
        (KEY, b"[1]", "value: is an array; it must be an object with the fields of an event"),
        (KEY, b"{", "value: ends at byte 1, before the JSON document does"),
        (KEY, b"{]", "value: is not JSON at byte 1"),
        (KEY, b"{} {}", "value: goes on at byte 3, after the end of the JSON document"),
        (KEY, b'{"a":"\xff"}', "value: is not UTF-8: 0xFF at byte 6 (invalid start byte)"),
        (KEY, value_of(user_name="\ud800"), "user_name: has half a surrogate pair, which is no character"),
        (KEY, b" " * 70_000, "value: has 70000 bytes; at most 65536 are allowed"),
        (b"a/b", value_of(), "key: names the job a/b; project_id and job_id of the value name another"),
        (b"a", value_of(), "key: is not {project_id}/{job_id}; each must be 1 to 64 characters of A-Z a-z 0-9 _ -"),
        (None, None, "key: is missing, and so is the value; a deletion names its job by the key"),
    ],
)
def test_details_name_the_field_what_is_wrong_and_what_is_allowed(
    key: bytes | None, value: bytes | None, detail: str
) -> None:
    """Whoever publishes events can correct them by what the letter says."""
    assert refusal_of(key, value).detail.startswith(detail)


@pytest.mark.parametrize("content", ["#", "\ud83d\ude00", "\x00"], ids=ascii)
def test_details_are_short_and_repeat_little_of_the_record(content: str) -> None:
    """What an error says can be logged and shown on a terminal: printable ASCII, at most 200 characters of content."""
    long = content.encode("utf-16", "surrogatepass").decode("utf-16") * 2_000
    broken: list[tuple[bytes | None, bytes | None]] = [
        (KEY, value_of(**{name: given})) for name in FIELDS for given in (long, [long], {long: long}, 10**4_000)
    ]
    broken += [(KEY, json.dumps(each).encode()) for each in (long, [long], {long: long})]
    broken += [(b"#" * 64 + b"/" + b"#" * 64, None), (b"4" * 64 + b"/" + b"4" * 64, value_of()), (KEY, b"#" * 9_000)]
    broken.append((KEY, json.dumps(dict.fromkeys(FIELDS, long)).encode()))
    for key, value in broken:
        detail = refusal_of(key, value).detail
        assert len(detail) <= MAX_DETAIL_CHARS
        assert detail.isascii()
        assert detail.isprintable()
        assert detail.count(ascii(long[0])[1:-1]) <= 200
    assert len(InvalidRecordError("not_json", "x" * 1_000).detail) == MAX_DETAIL_CHARS


def test_both_ways_agree_at_every_depth() -> None:
    """However deep something is in a field that nobody reads, the shortest event there is remains valid."""
    shortest = (
        b'{"event_id":"e","event_time":0,"project_id":"p","user_id":"u","user_name":"n","job_id":"j",'
        b'"status":"FAILED","start_time":0,"input_size":0,"":%b}'
    )
    expected = decode_fast(b"p/j", shortest % b"[]")
    assert expected is not None
    for depth in (*range(1, 300), 900, 1_000, 1_100, 10_000):
        for value in (b"[" * depth + b"]" * depth, b'{"":' * depth + b"1" + b"}" * depth):
            assert strict_verdict(b"p/j", shortest % value) == expected
            assert_agreement(b"p/j", shortest % value)


@pytest.mark.parametrize("digits", [3_500, 4_299, 4_300, 4_301, 5_000])
def test_both_ways_agree_on_long_integers(digits: int) -> None:
    """However many digits there are in a field that nobody reads, the event remains valid."""
    assert strict_verdict(KEY, with_raw(unknown=b"1" * digits)) == EVENT
    assert_agreement(KEY, with_raw(unknown=b"1" * digits))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
ids = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)
milliseconds = st.integers(0, MAX_MS)
texts = st.text(min_size=1, max_size=64)
valid_events = st.fixed_dictionaries(
    {
        "event_id": texts,
        "event_time": milliseconds,
        "project_id": ids,
        "user_id": ids,
        "user_name": st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=128),
        "job_id": ids,
        "status": st.sampled_from([status.name for status in JobStatus]),
        "start_time": milliseconds,
        "input_size": milliseconds,
    },
    optional={"job_type": st.none() | texts, "sequence": st.none() | st.integers(1, MAX_SEQUENCE)},
)
odd_json = st.sampled_from(
    [b"1.0", b"1e3", b"-0", b"-1", b"00", b"true", b"null", b"NaN", b"Infinity", b"-", b"1.", b"", b"[1,]"]
    + [b"1e999", b"9007199254740992", b"18446744073709551616", b"1" * 40, b"1" * 4_400, b'{"a":1,}', b"{1:1}"]
    + [b'"\\u0000"', b'"\\u0085"', b'"\x00"', b'"\x7f"', b'"\xc2\x85"', b'"\xff"', b'"\xed\xa0\x80"', b'"\xc0\x80"']
    + [b'"\\ud800"', b'"\\udc00\\ud800"', b'"\\ud83d\\ude00"', b'"\\q"', b'"\\u12"', b'"a/b"', b'"\\/"', b'""', b'"a']
    + [b"[" * depth + b"]" * depth for depth in (3, 150, 198, 199, 200, 250, 900, 1_100)]
    + [b'{"a":[ ' * 250 + b"%b ]}" % inner + b" ]}" * 249 for inner in (b"1", b"", b"1,", b'"\\ud800"', b"NaN")]
    + [b'"' + b"x" * length + b'"' for length in (64, 65, 128, 129)]
) | json_values.map(lambda value: json.dumps(value).encode())
odd_names = st.sampled_from(
    [*(name.encode() for name in FIELDS), b"\\u0073equence", b"", b"\xff", b"\\ud800", b"\x01", b"unknown"]
)


@st.composite
def records(draw: st.DrawFn) -> tuple[bytes | None, bytes]:
    """A key and the bytes of an event, broken in a few places or not."""
    event = draw(valid_events)
    ascii_only = draw(st.booleans())
    members = [
        (name.encode(), json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass"))
        for name, value in event.items()
    ]
    for name, text in draw(st.lists(st.tuples(odd_names, odd_json), max_size=2)):
        members.insert(draw(st.integers(0, len(members))), (name, text))
    if draw(st.booleans()):
        at = draw(st.integers(0, len(members) - 1))
        members[at] = (members[at][0], draw(odd_json))
    members = draw(st.permutations(members)) if draw(st.booleans()) else members
    colon = draw(st.sampled_from([b":", b" : ", b":\n"]))
    value = b"{" + b",".join(b'"' + name + b'"' + colon + text for name, text in members) + b"}"
    value = draw(st.sampled_from([b"", b"", b"", b"\xef\xbb\xbf", b" ", b"x"])) + value
    value += draw(st.sampled_from([b"", b"", b"", b"\n", b"\x00", b"}", b"\x0c"]))
    if draw(st.integers(0, 3)) == 0:
        at = draw(st.integers(0, len(value) - 1))
        value = value[:at] + draw(st.binary(max_size=2)) + value[at + draw(st.integers(0, 2)) :]
    right_key = f"{event['project_id']}/{event['job_id']}".encode()
    return draw(st.sampled_from([right_key, right_key, None, b"", right_key[1:], right_key + b"\x00"])), value


@settings(max_examples=examples(4))
@given(records())
@example((KEY, with_raw(unknown=b'"\xff"')))
@example((KEY, with_raw(unknown=b"[" * 250 + b"]" * 250)))
def test_the_fast_way_never_accepts_more_or_other_than_the_strict_one(record: tuple[bytes | None, bytes]) -> None:
    """Whatever bytes come, an event of the fast way is the very event that the strict way gives."""
    assert_agreement(*record)


@settings(max_examples=examples(2))
@given(records())
def test_what_is_json_is_so_for_every_reader(record: tuple[bytes | None, bytes]) -> None:
    """What another reader takes is taken apart into the same names; what is refused others refuse as well."""
    text = record[1]
    assume(not _raises(UnicodeDecodeError, text.decode))
    try:
        members = split_members(text)
    except NotJsonError:
        assert _raises(ValueError, pydantic_core.from_json, text, allow_inf_nan=False)
        assert _raises((ValueError, RecursionError), json.loads, text.decode(), parse_constant=_refuse)
        return
    try:
        document = json.loads(text.decode(), parse_int=len, parse_constant=_refuse)
    except RecursionError:
        return
    assert list(members or {}) == (list(document) if isinstance(document, dict) else [])


def _raises(errors: Any, function: Any, *arguments: Any, **more: Any) -> bool:
    try:
        function(*arguments, **more)
    except errors:
        return True
    return False


def _refuse(name: str) -> None:
    raise ValueError(name)


@given(valid_events, st.booleans())
def test_every_valid_event_is_accepted(fields: dict[str, Any], ascii_only: bool) -> None:
    """Any event within its bounds is decoded to its own values, escaped or in UTF-8."""
    event = decode(
        f"{fields['project_id']}/{fields['job_id']}".encode(), json.dumps(fields, ensure_ascii=ascii_only).encode()
    )
    assert event == JobEvent(
        project_id=fields["project_id"],
        job_id=fields["job_id"],
        user_id=fields["user_id"],
        user_name=fields["user_name"],
        status=JobStatus[fields["status"]],
        event_time_ms=fields["event_time"],
        start_time_ms=fields["start_time"],
        input_size_bytes=fields["input_size"],
        sequence=fields.get("sequence") or 0,
    )
