"""Leaders whose word on the end of a partition counts."""

from aiokafka import TopicPartition

from consumers.kafka.leadership import Leadership

TP, OTHER = TopicPartition("events", 0), TopicPartition("events", 1)


def test_a_node_is_trusted_once_it_has_told_the_end_and_while_it_goes_on_answering() -> None:
    """For that partition alone, and only that node."""
    leadership = Leadership()
    assert not leadership.is_trusted(TP, 1, 10.0)
    leadership.told(TP, 1, 10.0)
    assert leadership.is_trusted(TP, 1, 11.9)
    assert not leadership.is_trusted(TP, 2, 11.9)
    assert not leadership.is_trusted(OTHER, 1, 11.9)
    leadership.told(TP, 1, 11.9)
    assert leadership.is_trusted(TP, 1, 13.8)
    assert not leadership.is_trusted(TP, 1, 14.0)


def test_a_partition_that_may_have_moved_is_asked_about_anew() -> None:
    """The others are not."""
    leadership = Leadership()
    for tp in (TP, OTHER):
        leadership.told(tp, 1, 10.0)
    leadership.lost([TP])
    assert not leadership.is_trusted(TP, 1, 10.1)
    assert leadership.is_trusted(OTHER, 1, 10.1)
