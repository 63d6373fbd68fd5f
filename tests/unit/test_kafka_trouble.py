"""What the log says while Kafka is away for an hour: a line a minute with the reason, and one when it is over."""

import logging

import pytest
from aiokafka.errors import KafkaConnectionError, SaslAuthenticationFailed

from consumers.kafka.aiokafka_private import BootstrapError
from consumers.kafka.trouble import KafkaTrouble

REFUSED = BootstrapError([("kafka-0:9092", ConnectionRefusedError()), ("kafka-1:9092", TimeoutError())])
WHY = "kafka-0:9092: the connection is refused; kafka-1:9092: no answer in time"


def test_an_outage_is_a_line_a_minute_and_its_end(caplog: pytest.LogCaptureFixture) -> None:
    """Clients are made anew every five seconds; all that was not told is counted."""
    caplog.set_level(logging.INFO)
    now = 0.0
    trouble = KafkaTrouble(lambda: now)
    for attempt in range(720):
        now = attempt * 5.0
        trouble.failed(REFUSED, 5.0)
    now += 5
    trouble.passed()
    trouble.passed()
    *lines, end = [vars(each) for each in caplog.records]
    assert (len(lines), {each["message"] for each in lines}) == (60, {"Kafka is not usable, trying again"})
    assert {each["reason"] for each in lines} == {WHY}
    assert (end["message"], end["lasted_seconds"]) == ("Kafka is usable again", 3_600.0)
    assert sum(each.get("untold", 0) for each in [*lines, end]) == 720 - 60


def test_what_is_denied_is_shown_until_it_has_passed(caplog: pytest.LogCaptureFixture) -> None:
    """A denial is an error, an outage is none; an outage in between does not hide it."""
    caplog.set_level(logging.INFO)
    trouble = KafkaTrouble(lambda: 0.0)
    trouble.failed(SaslAuthenticationFailed("no"), 1.0)
    trouble.failed(KafkaConnectionError("away"), 1.0)
    assert trouble.denial is not None
    assert "STATS_KAFKA_SASL_USERNAME" in trouble.denial
    trouble.passed()
    assert trouble.denial is None
    assert [each.levelname for each in caplog.records] == ["ERROR", "WARNING", "INFO", "INFO"]
