"""Histories: everything that a busy, careless platform publishes, and between it records that are no events."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from random import Random

from consumers.kafka.aiokafka_private import HeaderName
from service.events.decoding import MAX_VALUE_BYTES
from service.events.event import MAX_MS, JobDeletion
from tests.end_to_end.traffic import (
    PARTITIONS,
    Event,
    Header,
    Record,
    choose_partition,
    life,
    make_fields,
    make_record,
)


def make_history(rnd: Random, jobs: int, bad_records: int, misnamed_records: int = 0) -> list[Record]:
    """Every event of so many jobs, some repeated, hardly in order, with bad records and replayed stretches between.

    Misnamed records have a header whose name is not UTF-8: not every broker takes them.
    """
    placed: list[tuple[float, Record]] = []
    for number in range(jobs):
        events: list[Event] = list(life(rnd, number))
        if rnd.random() < 0.05:
            deletion = JobDeletion(events[0].project_id, events[0].job_id)
            events.insert(rnd.randrange(len(events) + 1), deletion)
        place = rnd.random()
        for event in events:
            place += rnd.random() * 0.01
            record = make_record(rnd, event)
            placed.append((rnd.random() if rnd.random() < 0.2 else place, record))
            if rnd.random() < 0.1:
                placed.append((rnd.random(), replace(record, partition=choose_partition(rnd, event))))
    placed += [(rnd.random(), record) for record in _bad_records(rnd, bad_records)]
    placed += [(rnd.random(), _misnamed_record(rnd)) for _ in range(misnamed_records)]
    placed += [(rnd.random(), make_record(rnd, JobDeletion("dense", f"never-seen-{number}"))) for number in range(20)]
    records = [record for _, record in sorted(placed, key=lambda each: each[0])]
    for _ in range(3):
        start = rnd.randrange(len(records) // 2)
        stretch = [record for record in records[start : start + len(records) // 20] if record.event is not None]
        at = rnd.randrange(start, len(records) + 1)
        records[at:at] = stretch
    return records


def waves(records: list[Record], count: int) -> list[list[Record]]:
    """The records in so many pieces, in their order."""
    edges = [len(records) * number // count for number in range(count + 1)]
    return [records[start:end] for start, end in pairwise(edges)]


def _json(fields: dict[str, object], **changes: object) -> bytes:
    return json.dumps({**fields, **changes}).encode()


Break = Callable[[bytes, dict[str, object]], tuple[bytes | None, bytes | None]]

# what a record with this key and these fields becomes, by the reason that its dead letter must give
BREAKS: dict[str, Break] = {
    "not_utf8": lambda key, fields: (key, _json(fields)[:-1] + b', "x": "\xff"}'),
    "not_json": lambda key, fields: (key, _json(fields)[:-5]),
    "missing_field": lambda key, fields: (
        None,
        _json({name: value for name, value in fields.items() if name != "status"}),
    ),
    "wrong_type": lambda key, fields: (key, _json(fields, input_size="12")),
    "out_of_bounds": lambda key, fields: (key, _json(fields, start_time=MAX_MS + 1)),
    "too_large": lambda key, fields: (key, _json(fields) + b" " * MAX_VALUE_BYTES),
    "bad_key": lambda key, fields: (b"no job at all", None),
    "key_mismatch": lambda key, fields: (key + b"0", _json(fields)),
    "tombstone_without_key": lambda key, fields: (None, None),
}


def _bad_records(rnd: Random, count: int) -> Iterator[Record]:
    """Records that are no events, of every kind in turn, each with a header of its own."""
    reasons = list(BREAKS)
    for number in range(count):
        [event, *_] = life(rnd, -1)
        right_key = f"{event.project_id}/{event.job_id}".encode()
        key, value = BREAKS[reasons[number % len(reasons)]](right_key, make_fields(rnd, event))
        own: list[Header] = [("number", b"%d" % number), ("", b"\xff"), ("null", None), ("number", b"again")]
        yield Record(rnd.randrange(PARTITIONS), key, value, None, tuple(own[: rnd.randrange(1, 5)]))


def _misnamed_record(rnd: Random) -> Record:
    """An event that is none, as the name of one of its headers is not UTF-8."""
    good = make_record(rnd, next(life(rnd, -1)))
    headers: list[Header] = [("plain", rnd.randbytes(2)), (HeaderName(b"trace\xff" + rnd.randbytes(3)), None)]
    return replace(good, event=None, headers=tuple(headers[rnd.randrange(2) :]))
