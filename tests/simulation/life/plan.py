"""Plans a life from its seed: how many of everything there are, and what breaks when. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

from tests.simulation.life.kinds import Kind, faults_of_topic, is_possible, retention_days, start_seconds

# Faults of one lane come one after the other; those of different lanes overlap.
LANES: Mapping[str, Sequence[str]] = {
    "consumers": (
        "consumer_killed",
        "consumer_stopped",
        "consumer_joins",
        "consumer_hangs",
        "consumer_ahead",
        "consumers_killed",
        "platform_rests",
    ),
    "redis": (
        "redis_killed",
        "redis_loads",
        "redis_killed_in_a_pipeline",
        "redis_disk_full",
        "redis_connections_forgotten",
        "redis_file_cut",
        "redis_loses_power",
        "redis_loses_power_twice",
        "redis_emptied",
        "redis_restored",
        "redis_restored_in_a_lull",
        "redis_fails_over",
        "redis_full",
        "redis_read_only",
        "redis_hangs",
        "redis_slow",
        "redis_disconnects",
        "redis_forgets_scripts",
        "redis_forbids_a_command",
        "redis_forbids_keys",
        "redis_loses_replies",
        "redis_loses_commands",
        "redis_ends_in_a_pipeline",
    ),
    "kafka": (
        "kafka_killed",
        "kafka_hangs",
        "kafka_slow",
        "kafka_cut_off",
        "kafka_disconnects",
        "kafka_loses_replies",
        "replication_lags",
        "leader_moves",
        "leader_unsure",
        "batch_unreadable",
        "transaction_open",
        "letters_refused",
    ),
    "others": ("service_killed", "service_hangs", "rebuild", "rebuild_killed", "verify_and_repair"),
}
_SHARES = {"consumers": 3, "redis": 5, "kafka": 3, "others": 1}  # how often a fault is of each lane
_FAULTS, _FAULTS_OF_TOPIC = 9, 2
_PAUSE_SECONDS, _SHORT_SECONDS, _LONG_SECONDS, _LONG_SHARE = 3.0, 3.0, 13.0, 0.1
_FEW_BYTES, _MANY_BYTES = 3_000, 55 << 20
_CALM_SHARE = 0.8  # a group takes six seconds to hand out its partitions, in which nobody writes what could break


@dataclass(frozen=True, slots=True)
class Breakage:
    """Says what breaks, when (seconds after the life began), for how long, and by what chance."""

    fault: str
    begins_seconds: float
    lasts_seconds: float
    seed: int


@dataclass(frozen=True, slots=True)
class Plan:
    """Says what a life has, and what breaks in it, by lane."""

    seed: int
    consumers: int
    nodes: int  # of Kafka
    primaries: int  # of Redis
    jobs: int  # of the history; each has some events
    fetch_max_bytes: int  # that brokers put into a response: few leave most partitions out
    is_idempotent: bool  # the platform's producer; another one repeats what it has no answer to
    kind: Kind
    start_seconds: int  # Unix time
    retention_days: int | None
    lanes: Mapping[str, tuple[Breakage, ...]]
    begins_calmly: bool  # nothing breaks before the consumers have read what there is at first

    @property
    def is_compacted(self) -> bool:
        """Returns whether the topic is compacted, and so takes no record without a key."""
        return any(each.fault == "topic_compacted" for each in self.breakages)

    @property
    def breakages(self) -> list[Breakage]:
        """Returns everything that breaks, in the order in which it begins."""
        return sorted(
            (each for lane in self.lanes.values() for each in lane), key=lambda each: (each.begins_seconds, each.fault)
        )

    def only(self, faults: Sequence[int]) -> "Plan":
        """Returns a plan with some of the faults alone, by their numbers among the breakages."""
        kept = {self.breakages[number] for number in faults}
        lanes = {name: tuple(each for each in lane if each in kept) for name, lane in self.lanes.items()}
        return replace(self, lanes=lanes)


def plan_life(seed: int) -> Plan:
    """Returns the plan of a seed."""
    rnd = Random(seed)
    names = rnd.choices(list(_SHARES), list(_SHARES.values()), k=_FAULTS) + ["topic"] * _FAULTS_OF_TOPIC
    kind = rnd.choice(list(Kind))
    start = start_seconds(kind, rnd)
    return Plan(
        seed=seed,
        consumers=rnd.choice((1, 2, 2, 3, 4)),
        nodes=rnd.choice((1, 3)),
        primaries=rnd.choice((1, 1, 3)),
        jobs=rnd.randrange(200, 800),
        fetch_max_bytes=_FEW_BYTES if seed % 4 == 0 else _MANY_BYTES,
        is_idempotent=rnd.random() < 0.7,
        kind=kind,
        start_seconds=start,
        retention_days=retention_days(kind, start, rnd),
        lanes={name: _plan_lane(rnd, faults, names.count(name)) for name, faults in _lanes(kind)},
        begins_calmly=rnd.random() < _CALM_SHARE,
    )


def _lanes(kind: Kind) -> Iterator[tuple[str, Sequence[str]]]:
    for name, faults in LANES.items():
        yield name, [each for each in faults if is_possible(kind, each)]
    yield "topic", faults_of_topic(kind)


def _plan_lane(rnd: Random, faults: Sequence[str], count: int) -> tuple[Breakage, ...]:
    now_seconds, planned = 0.0, []
    for _ in range(count):
        now_seconds += rnd.uniform(0, _PAUSE_SECONDS)
        is_long = rnd.random() < _LONG_SHARE
        lasts_seconds = rnd.uniform(0, _LONG_SECONDS if is_long else _SHORT_SECONDS)
        planned.append(Breakage(rnd.choice(faults), now_seconds, lasts_seconds, rnd.getrandbits(32)))
        now_seconds += lasts_seconds
    return tuple(planned)
