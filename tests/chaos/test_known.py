"""What the reader holds against an answer: never more than what had been acknowledged, never less."""

from random import Random

from service.events.event import JobEvent, JobStatus
from tests.chaos.known import Growing, Moving
from tests.oracle import version


def test_jobs_that_had_been_acknowledged() -> None:
    """In whatever order that came, those before an instant must be there, of the first so many too."""
    rnd, growing = Random(1), Growing()
    numbers = [growing.send() for _ in range(40)]
    at_ms = {number: rnd.randrange(100) for number in rnd.sample(numbers, 30)}
    for number, each_ms in at_ms.items():
        growing.acknowledged(number, each_ms)
    for as_of_ms in range(-1, 101, 5):
        for first in range(0, 41, 3):
            least = sum(number < first and each_ms <= as_of_ms for number, each_ms in at_ms.items())
            assert growing.least(as_of_ms, first) == least


def moved(sequence: int, user: str, start_ms: int) -> JobEvent:
    """An event of the job that moves."""
    return JobEvent("p", "j", user, user, JobStatus.RUNNING, 0, start_ms, 1, sequence)


def test_where_a_job_may_be() -> None:
    """Where its newest acknowledged event has put it, or a later one that has been sent; the greater rival counts."""
    first, second, third = moved(1, "a", 10), moved(2, "b", 20), moved(2, "c", 30)
    assert version(third) > version(second)
    moving = Moving(1)
    for event in (first, third, second):
        moving.send(0, event)
    assert moving.bounds(99, None, None).least() == 0  # nothing has been acknowledged
    moving.acknowledged(0, first, 100)
    moving.acknowledged(0, third, 200)
    moving.acknowledged(0, second, 300)

    before = moving.bounds(100, None, None)
    assert (before.least(), before.most()) == (1, 1)
    for user in "abc":
        assert before.allow((user, JobStatus.RUNNING), 1)
        assert before.allow((user, JobStatus.RUNNING), 0)
    assert (moving.bounds(100, 15, None).least(), moving.bounds(100, 15, None).most()) == (0, 1)

    for as_of_ms in (200, 300):
        after = moving.bounds(as_of_ms, 15, 31)
        assert (after.least(), after.most()) == (1, 1)
        assert after.allow(("c", JobStatus.RUNNING), 1)
        assert not after.allow(("c", JobStatus.RUNNING), 0)
        assert not after.allow(("b", JobStatus.RUNNING), 1)
        assert moving.bounds(as_of_ms, 15, 30).most() == 0
