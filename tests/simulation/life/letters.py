"""Compares the dead letters with the records that are no events."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from consumers.dead_letters.letter import OFFSET_HEADER, PARTITION_HEADER, REASON_HEADER, TOPIC_HEADER
from consumers.dead_letters.replay import SENT_BACK
from tests.simulation.kafka.records import Content

_OUR_HEADERS = 6  # after the record's own


class Letter(NamedTuple):
    """Holds a dead letter: where its record lies, why it is no event, and the record."""

    partition: int
    offset: int
    reason: str
    content: Content


def parse_letters(contents: Sequence[Content], topic: str) -> Iterator[Letter]:
    """Yields the letters among records, which are all letters of the topic or marks."""
    for key, value, headers in contents:
        ours = {name.decode(): (text or b"").decode() for name, text in headers[-_OUR_HEADERS:]}
        assert ours[TOPIC_HEADER] == topic, ours
        if ours[REASON_HEADER] != SENT_BACK:
            own = headers[:-_OUR_HEADERS]
            where = int(ours[PARTITION_HEADER]), int(ours[OFFSET_HEADER])
            yield Letter(*where, ours[REASON_HEADER], (key, value, own))


Bad = tuple[int, int, Content]
"""Partition, offset and content of a record that is no event."""


def check_letters(letters: Sequence[Letter], bad: Collection[Bad], required: Collection[Bad], at_most: int) -> None:
    """Each letter is of a record that is none; each that is required has a letter, none more than so many."""
    sources: Counter[Bad] = Counter()
    for letter in letters:
        assert (letter.reason == "bad_headers") == _is_misnamed(letter.content), letter
        sources[letter.partition, letter.offset, letter.content] += 1
    assert sources.keys() <= set(bad), set(sources) - set(bad)
    assert sources.keys() >= set(required), set(required) - set(sources)
    assert max(sources.values(), default=0) <= at_most, (at_most, sources.most_common(3))


def _is_misnamed(content: Content) -> bool:
    try:
        for name, _ in content[2]:
            name.decode()
    except UnicodeDecodeError:
        return True
    return False
