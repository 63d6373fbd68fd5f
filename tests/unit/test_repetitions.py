"""Messages that come again and again: few become lines."""

import logging

import pytest

from service.runtime.repetitions import Repetitions


def lines(name: str, level: int, message: str, seconds: range) -> list[tuple[int, int]]:
    """The seconds at which such a message, told each second, becomes a line, each with how often it was not before."""
    repetitions, told = Repetitions(), []
    for second in seconds:
        record = logging.makeLogRecord(
            {"name": name, "levelno": level, "msg": message, "args": (second,), "created": float(second)}
        )
        if repetitions.filter(record):
            told.append((second, vars(record).get("untold", 0)))
    return told


def test_a_librarys_warning_is_a_line_a_minute() -> None:
    """The first at once, the others with the number of those in between."""
    assert lines("aiokafka", logging.ERROR, "Unable connect to node with id %s", range(200)) == [
        (0, 0),
        (60, 59),
        (120, 59),
        (180, 59),
    ]


def test_a_librarys_news_are_ten_lines_a_minute() -> None:
    """A rebalance is some lines of each kind."""
    assert len(lines("aiokafka.consumer", logging.INFO, "(Re-)joining group %s", range(120))) == 20


def test_a_library_that_puts_values_into_its_messages_has_few_lines() -> None:
    """A text that is another one each time is bounded too."""
    repetitions = Repetitions()
    records = [
        logging.makeLogRecord({"name": "lib", "levelno": logging.ERROR, "msg": f"at {each}", "created": each / 100})
        for each in range(5_000)
    ]
    assert sum(map(repetitions.filter, records)) == 60


@pytest.mark.parametrize("level", [logging.INFO, logging.ERROR])
def test_ours_are_told_where_they_are_made(level: int) -> None:
    """A line of each partition is a line; what nobody has foreseen is bounded all the same."""
    repetitions = Repetitions()
    records = [
        logging.makeLogRecord({"name": "service.a", "levelno": level, "msg": "a %s", "created": 5.0})
        for _ in range(900)
    ]
    assert sum(map(repetitions.filter, records)) == 600


def test_whoever_asks_for_details_gets_all() -> None:
    """At DEBUG nothing is left out."""
    assert len(lines("aiokafka", logging.DEBUG, "sent %s", range(300))) == 300


def test_a_clock_that_is_put_back_silences_nothing() -> None:
    """The next line is told."""
    repetitions = Repetitions()
    for created in (1_000.0, 10.0):
        assert repetitions.filter(logging.makeLogRecord({"name": "a", "levelno": 40, "created": created}))
