"""The sizes and times by which a consumer works, those that have a setting and those that have none."""

from dataclasses import dataclass

from consumers.kafka.clients import REBALANCE_TIMEOUT_MS
from service.runtime.settings import ConsumerSettings

MAX_BATCH_RECORDS = 20_000


@dataclass(frozen=True, slots=True)
class WorkerPolicy:
    """Says which topic a consumer reads, how large its batches are, and how often it does each thing."""

    topic: str
    retention_days: int | None = None
    scrub_share: float = 0.01  # the share of Redis' time that the scrub takes
    scrub_seconds: float = 30.0  # between two passes of the scrub
    max_batch_records: int = MAX_BATCH_RECORDS
    sifted_batch_records: int = 2_000  # of a batch after one with events that the store refused
    poll_timeout_ms: int = 50
    claim_seconds: float = 0.4  # how often the consumer writes claims
    settling_seconds: float = 2.0  # how often, at least, the heads of stripes without events are moved
    commit_seconds: float = 1.0
    commit_timeout_seconds: float = 2.0
    release_timeout_seconds: float = REBALANCE_TIMEOUT_MS / 2_000
    quiet_seconds: float = 10.0  # see StallWatch
    question_seconds: float = 1.0  # how often the broker is asked for the ends of partitions without a leader
    sweep_seconds: float = 10.0  # how often the sweep checks whether the horizon has moved
    assignment_seconds: float = 60.0  # a group that assigns no partitions for so long has stalled


def policy_of(settings: ConsumerSettings) -> WorkerPolicy:
    """Returns the policy that the settings ask for."""
    return WorkerPolicy(settings.kafka_topic, settings.retention_days, settings.scrub_share)
