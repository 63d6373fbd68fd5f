"""What must hold in the end: every answer equals a recount, and every bad record is a dead letter."""

from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any

from consumers.kafka.aiokafka_private import is_misnamed
from service.events.event import MAX_MS, JobEvent
from tests.end_to_end.asking import Asking, Question
from tests.end_to_end.publisher import read_topic
from tests.end_to_end.traffic import PARTITIONS, PROJECTS, USERS, Event, Record
from tests.oracle import Oracle
from tests.store.histories import clamp, edge

_OUR_HEADERS = 6  # after the record's own


def make_questions(rnd: Random, events: Sequence[Event], count: int) -> list[Question]:
    """Questions with bounds that are open, at jobs, beside them, at edges of buckets and anywhere."""
    starts = [event.start_time_ms for event in events if isinstance(event, JobEvent)]

    def bound() -> int | None:
        near = rnd.choice(starts)
        tiny = clamp(near + rnd.choice((-1, 0, 1)))
        return rnd.choice((None, tiny, tiny, edge(rnd, near), rnd.randrange(MAX_MS + 1)))

    asking = (None, *USERS[:3], "nobody")
    questions: list[Question] = [(project, None, None, user) for project in (*PROJECTS, "unknown") for user in asking]
    for _ in range(count):
        start, end = bound(), bound()
        if start is not None and rnd.random() < 0.2:
            end = clamp(start + rnd.randrange(3))
        if start is not None and end is not None and start > end:
            start, end = end, start
        questions.append((rnd.choice(PROJECTS), start, end, rnd.choice((None, None, *asking))))
    return questions


async def assert_answers(
    system: Asking, records: Sequence[Record], acknowledged_ms: int, rnd: Random, count: int = 300
) -> None:
    """Every answer over HTTP is what a recount of the published events gives, from when it says that it must be."""
    whole: list[Question] = [(project, None, None, None) for project in PROJECTS]
    first = [await system.ask_as_of(question, acknowledged_ms) for question in whole]
    events = [record.event for record in records if record.event is not None]
    oracle = Oracle(events)
    questions = make_questions(rnd, events, count)
    bodies = first + await system.ask_all(questions)
    for question, body in zip(whole + questions, bodies, strict=True):
        assert (question, body) == (question, oracle.answer(*question))


async def assert_dead_letters(bootstrap: str, topic: str, records: Sequence[Record], at_most: int = 1) -> None:
    """Each bad record is a dead letter, once or up to so many times, whole, that says where exactly it lies."""
    published = await read_topic(bootstrap, topic, PARTITIONS, len(records))
    source = {(each.partition, each.offset): _content(each.key, each.value, each.headers) for each in published}
    assert len(source) == len(records)
    expected = Counter(_content(each.key, each.value, each.headers) for each in records if each.event is None)
    letters = await read_topic(bootstrap, f"{topic}.dead-letters", 2, expected.total())
    sources: Counter[tuple[int, int]] = Counter()
    for letter in letters:
        own = letter.headers[:-_OUR_HEADERS]
        ours = {name: value or b"" for name, value in letter.headers[-_OUR_HEADERS:]}
        assert ours["dead-letter-topic"] == topic.encode()
        place = int(ours["dead-letter-partition"]), int(ours["dead-letter-offset"])
        sources[place] += 1
        assert _content(letter.key, letter.value, own) == source[place]
        assert (ours["dead-letter-reason"] == b"bad_headers") == is_misnamed(own)
    assert Counter(source[place] for place in sources) == expected
    assert max(sources.values()) <= at_most


def _content(key: bytes | None, value: bytes | None, headers: Sequence[Any]) -> tuple[Any, ...]:
    return key, value, tuple(headers)
