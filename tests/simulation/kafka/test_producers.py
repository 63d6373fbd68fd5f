"""What a partition knows of producers: repeated and missing batches, epochs, and where a consumer may read to. Pure."""

from dataclasses import replace

from tests.simulation.kafka.batches import Batch, build_marker
from tests.simulation.kafka.codes import INVALID_PRODUCER_EPOCH, NONE, OUT_OF_ORDER_SEQUENCE
from tests.simulation.kafka.producers import Aborted, Producers

LAST_SEQUENCE = (1 << 31) - 1


def batch(base: int, sequence: int, records: int = 1, epoch: int = 0, transactional: bool = False) -> Batch:
    """A batch of producer 7 in a log."""
    attributes = 16 if transactional else 0
    return Batch(b"", base, base + records - 1, 0, attributes, 0, 0, 7, epoch, sequence, records)


def marker(base: int, commits: bool, epoch: int = 0) -> Batch:
    """The marker of producer 7's transaction in a log."""
    return replace(build_marker(commits, 7, epoch, 0), base=base, last=base)


def test_a_batch_that_comes_again_is_known_and_a_gap_is_not_taken() -> None:
    """The last five are known."""
    producers = Producers()
    for number in range(6):
        assert producers.check(batch(0, 2 * number, 2)) == NONE
        producers.append(batch(2 * number, 2 * number, 2))
    assert [producers.duplicate(batch(0, 2 * number, 2)) is not None for number in range(7)] == [
        False,
        *[True] * 5,
        False,
    ]
    assert producers.duplicate(batch(0, 10, 1)) is None
    assert producers.check(batch(0, 12)) == NONE
    assert [producers.check(batch(0, sequence)) for sequence in (0, 11, 13)] == [OUT_OF_ORDER_SEQUENCE] * 3


def test_sequence_numbers_begin_again() -> None:
    """After the last one, and with an epoch; those before it are fenced."""
    producers = Producers()
    producers.append(batch(0, LAST_SEQUENCE))
    assert producers.check(batch(1, 0)) == NONE
    producers.append(batch(1, 0))
    assert producers.check(batch(2, 5, epoch=1)) == OUT_OF_ORDER_SEQUENCE
    assert producers.check(batch(2, 0, epoch=1)) == NONE
    producers.append(batch(2, 0, epoch=1))
    assert producers.check(batch(3, 1)) == INVALID_PRODUCER_EPOCH
    assert producers.duplicate(batch(3, 0)) is None


def test_an_unknown_producer_may_begin_anywhere() -> None:
    """As where the topic was made anew."""
    assert Producers().check(batch(0, 42)) == NONE


def test_a_consumer_of_what_is_committed_stops_at_the_first_open_transaction() -> None:
    """Until its marker is safe; then it knows what was aborted."""
    producers = Producers()
    producers.append(batch(0, 0))
    producers.append(batch(1, 1, transactional=True))
    assert producers.stable_before(2) == 1
    assert producers.stable_before(1) == 1
    producers.append(marker(2, commits=False))
    assert producers.stable_before(2) == 1
    assert producers.stable_before(3) == 3
    assert producers.aborted_from(2) == [Aborted(7, 1, 2)]
    assert producers.aborted_from(3) == []
    producers.append(batch(3, 2, transactional=True))
    producers.append(marker(4, commits=True))
    assert producers.stable_before(5) == 5
    assert producers.aborted_from(0) == [Aborted(7, 1, 2)]
