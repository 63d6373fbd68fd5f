"""The metrics of a consumer process for Prometheus, in base units.

No label names a project, a user or a job.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from consumers.ingest.phases import Phase
from consumers.lag import LagRecords, LagSeconds
from service.events.decoding import Reason
from service.runtime.metrics import KnownGauge, Timing, Timings
from service.store.redis.script import Heard
from service.store.write.writer import ScriptName

APPLY_SECONDS_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
BATCH_RECORDS_BUCKETS = (1, 10, 100, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000)
SCRIPT_SECONDS_BUCKETS = (0.0005, *APPLY_SECONDS_BUCKETS)
MENDERS = ("script", "scrub")
RESYNC_REASONS = (
    "StoreUnavailableError",
    "StoreDeniedError",
    "FencedError",
    "DeadLettersUnavailableError",
    "MendedError",
    "OtherTopicError",
    "OffsetOutOfRangeError",
    "NoOffsetForPartitionError",
    "LeaderFoundError",
    "IllegalStateError",
)


def _hearing(calls: Counter, seconds: Timing) -> Heard:
    """Returns what counts and times the calls of a script."""

    def heard(number: int, took_seconds: float) -> None:
        calls.inc(number)
        seconds.observe(took_seconds)

    return heard


class ConsumerMetrics:
    """Holds the metrics of one consumer process, registered in the given registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, *labels: str, values: Iterable[str] = ()) -> Counter:
            made = Counter(f"stats_consumer_{name}", text, labels, registry=registry)
            for value in values:  # the series are there from the start, so that a rate sees the first event
                made.labels(value)
            return made

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"stats_consumer_{name}", text, labels, registry=registry)

        def histogram(name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
            return Histogram(f"stats_consumer_{name}", text, registry=registry, buckets=buckets)

        self.records: Counter = counter("records", "Records applied, those among them that came again.")
        self.dead_letters: Counter = counter(
            "dead_letters", "Records written to the dead-letter topic, by reason.", "reason", values=get_args(Reason)
        )
        self.batches: Counter = counter("batches", "Batches applied to the store.")
        self.apply_seconds: Histogram = histogram(
            "apply_seconds", "Time from sending a batch to the store to its last reply.", APPLY_SECONDS_BUCKETS
        )
        seconds = Timings(
            "stats_consumer_script_seconds",
            "Time to the replies of script calls sent together: those of one server, or on a cluster of one stripe.",
            "script",
            SCRIPT_SECONDS_BUCKETS,
            registry,
        )
        calls = counter(
            "script_calls", "Script calls sent, each for one stripe.", "script", values=get_args(ScriptName)
        )
        self.scripts: Mapping[ScriptName, Heard] = {
            name: _hearing(calls.labels(name), seconds.of(name)) for name in get_args(ScriptName)
        }
        self.batch_records: Histogram = histogram("batch_records", "Records in a batch.", BATCH_RECORDS_BUCKETS)
        self.assigned_partitions: Gauge = gauge("assigned_partitions", "Partitions assigned to this process.")
        self._partitions: frozenset[int] = frozenset()
        self.lag_records = LagRecords(registry)
        self.lag_seconds = LagSeconds(registry)
        self.watermark_seconds: Gauge = gauge(
            "watermark_timestamp_seconds",
            "Unix time before which every record of an assigned partition is applied.",
            "partition",
        )
        self.last_applied_seconds: Gauge = gauge(
            "last_applied_record_timestamp_seconds", "Timestamp of the last record applied, Unix time."
        )
        self.fence_refusals: Counter = counter(
            "fence_refusals",
            "Writes refused as the store has other offsets or another generation than the consumer expected.",
        )
        self.resyncs: Counter = counter(
            "resyncs",
            "Times that a partition was sought to the store's offset, by reason.",
            "reason",
            values=RESYNC_REASONS,
        )
        self.forgotten_jobs: Counter = counter(
            "forgotten_jobs", "Jobs taken out of the store because they start before the horizon."
        )
        self.gaps: Counter = counter(
            "gaps", "Ranges of offsets that the topic no longer had when they were to be read."
        )
        self.gap_records: Gauge = gauge(
            "gap_records", "Offsets of an assigned partition that were never read, by the store's ledger.", "partition"
        )
        self.unreadable_offset: Gauge = gauge(
            "unreadable_offset",
            "Offset from which on an assigned partition cannot be read; partitions that can be have none.",
            "partition",
        )
        self.mended_keys: Counter = counter(
            "mended_keys",
            "Keys of the store that were not what the job records say, and were mended.",
            "by",
            values=MENDERS,
        )
        self.unfinished_writes: Counter = counter(
            "unfinished_writes", "Marks met of writes that had ended in part.", "by", values=MENDERS
        )
        self.drifted_keys = KnownGauge(
            "stats_consumer_drifted_keys",
            "Keys that the last pass of the scrub found wrong and could not mend: they take a rebuild.",
            registry=registry,
        )
        self.scrubbed_seconds: Gauge = gauge(
            "scrub_timestamp_seconds", "When the last whole pass of the scrub ended, Unix time; 0 before the first."
        )
        self.phase_seconds: Counter = counter(
            "phase_seconds", "Time that ingest took, by phase.", "phase", values=get_args(Phase)
        )
        self.scrubbed_projects: Counter = counter("scrub_projects", "Projects that the scrub has looked at.")
        self.scrubbed_records: Counter = counter("scrub_records", "Job records that the scrub has looked at.")
        self.scrub_pass_seconds = KnownGauge(
            "stats_consumer_scrub_pass_seconds", "How long the last whole pass of the scrub took.", registry=registry
        )
        self.memory_bytes = KnownGauge(
            "stats_redis_memory_bytes",
            "Memory of Redis by kind of key, estimated by the scrub, in the stripes of this consumer.",
            "kind",
            registry=registry,
        )
        self.used_memory_bytes, self.max_memory_bytes, self.fullest_ratio = (
            KnownGauge(f"stats_redis_{name}", text, registry=registry)
            for name, text in (
                ("used_memory_bytes", "Memory that Redis uses, of all primaries that answer."),
                (
                    "max_memory_bytes",
                    "Memory that Redis may use, of all primaries that answer; none: one has no limit.",
                ),
                ("fullest_memory_ratio", "Used memory over maxmemory of the fullest primary that has a limit."),
            )
        )
        self.stalls: Counter = counter(
            "stalls", "Times that the Kafka clients had to be replaced because they stalled."
        )
        self.redis_errors: Counter = counter("redis_errors", "Resyncs because a call to Redis failed.")

    @contextmanager
    def measuring(self, records: int, last_timestamp_ms: int, watermarks_ms: Mapping[int, int]) -> Iterator[None]:
        """Measures a batch that is applied within the block, and counts it unless the block raises."""
        started = time.perf_counter()
        yield
        for partition in self._partitions & watermarks_ms.keys():  # a write may end after the partitions are another's
            self.watermark_seconds.labels(partition).set(watermarks_ms[partition] / 1000)
        if records:
            self.batches.inc()
            self.apply_seconds.observe(time.perf_counter() - started)
            self.batch_records.observe(records)
            self.records.inc(records)
            self.last_applied_seconds.set(last_timestamp_ms / 1000)

    @contextmanager
    def timed(self, phase: Phase) -> Iterator[None]:
        """Adds the time that its block takes to a phase, also if the block raises."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.phase_seconds.labels(phase).inc(time.perf_counter() - started)

    def note_memory(self, memories: Sequence[Mapping[str, Any]]) -> None:
        """Notes the memory of each primary, as INFO says it; none where it is not known. The StoreWatch calls it."""
        told = [memory for memory in memories if "used_memory" in memory]  # a service may keep it to itself
        used = [memory["used_memory"] for memory in told]
        most = [memory.get("maxmemory", 0) for memory in told]
        self.used_memory_bytes.set(sum(used) if used else None)
        self.max_memory_bytes.set(sum(most) if most and all(most) else None)
        ratios = [some / limit for some, limit in zip(used, most, strict=True) if limit]
        self.fullest_ratio.set(max(ratios, default=None))

    def assign(self, partitions: Iterable[int]) -> None:
        """Notes which partitions this consumer has, and drops the series of others; their values would stay for ever.

        The worker calls it in each rebalance, and at its end without any.
        """
        lost, self._partitions = self._partitions, frozenset(partitions)
        self.assigned_partitions.set(len(self._partitions))
        for partition in lost - self._partitions:
            for collector in (self.lag_records, self.lag_seconds):
                collector.forget(partition)
            for gauge in (self.watermark_seconds, self.gap_records, self.unreadable_offset):
                gauge.remove(partition)
