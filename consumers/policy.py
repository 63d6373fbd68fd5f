"""How a consumer behaves beyond its settings."""

from dataclasses import dataclass

from consumers.kafka.clients import REBALANCE_TIMEOUT_MS
from service.runtime.settings import ConsumerSettings

MAX_BATCH_RECORDS = 20_000


@dataclass(frozen=True, slots=True)
class WorkerPolicy:
    """The topic that is read, sizes, and times."""

    topic: str
    retention_days: int | None = None
    scrub_share: float = 0.01  # of Redis' time
    scrub_seconds: float = 30.0  # between two passes
    max_batch_records: int = MAX_BATCH_RECORDS
    poll_timeout_ms: int = 50
    claim_seconds: float = 0.4  # how often stripes learn how fresh they are
    settling_seconds: float = 2.0  # how often, at least, stripes without events learn how far their partitions are
    commit_seconds: float = 1.0
    commit_timeout_seconds: float = 2.0
    release_timeout_seconds: float = REBALANCE_TIMEOUT_MS / 2_000
    quiet_seconds: float = 10.0  # see StallWatch
    question_seconds: float = 1.0  # how often partitions without a leader are asked about
    sweep_seconds: float = 10.0  # how often it is looked whether the horizon has moved
    assignment_seconds: float = 60.0  # a group that gives no partitions for so long has stalled


def policy_of(settings: ConsumerSettings) -> WorkerPolicy:
    """Returns the policy that these settings ask for."""
    return WorkerPolicy(settings.kafka_topic, settings.retention_days, settings.scrub_share)
