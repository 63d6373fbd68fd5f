"""Kinds of lives, which differ in what may happen to the topic, and in what can be said in the end. Pure."""

from collections.abc import Sequence
from enum import StrEnum
from random import Random

from tests.chaos.load import MOVING_SPAN_MS
from tests.end_to_end.traffic import NOON_MS


class Kind(StrEnum):
    """Says what there is in a life beside all that may be in each."""

    PLAIN = "a plain"
    RETAINING = "a retaining"  # jobs that start before a horizon are forgotten
    SHORTENED = "a shortened"  # records are deleted, also such as were never read
    ANEW = "a renewed"  # the topic is deleted and made anew, when all of it has been applied


_ALWAYS = ("partition_added", "topic_compacted", "letters_replayed")
_ONLY: dict[Kind, Sequence[str]] = {
    Kind.SHORTENED: ("applied_records_deleted", "retention_overtakes", "retention_overtakes"),
    Kind.ANEW: ("topic_made_anew", "topic_made_anew_unseen"),
}
_PARTLY = (  # may leave a batch applied in part, of which a ledger of gaps cannot tell
    "redis_killed_in_a_pipeline",
    "redis_disk_full",
    "redis_loses_power",
    "redis_loses_power_twice",
    "redis_file_cut",
    "redis_full",
    "redis_forbids_a_command",
    "redis_forbids_keys",
)
_GOING_BACK = ("redis_emptied", "redis_restored", "redis_restored_in_a_lull", "redis_fails_over")
_NOT: dict[Kind, Sequence[str]] = {
    # After a rebuild a ledger may name what the rebuild had read and the consumers had not (docs/decisions.md).
    Kind.SHORTENED: (*_PARTLY, "rebuild", "rebuild_killed"),
    # What the old topic told is in Redis alone: nothing may be lost there, and nobody but the platform writes.
    Kind.ANEW: (*_GOING_BACK, *_PARTLY[:5], "rebuild", "rebuild_killed", "letters_replayed", "transaction_open"),
}

_AFTERNOON_SECONDS = 1_790_000_000  # in September 2026
_DAY_SECONDS = 86_400
_BEFORE_MIDNIGHT_SECONDS = 30


def is_possible(kind: Kind, fault: str) -> bool:
    """Returns whether a fault may happen in such a life."""
    return fault not in _NOT.get(kind, ())


def faults_of_topic(kind: Kind) -> Sequence[str]:
    """Returns what may happen to the topic in such a life."""
    return [each for each in (*_ALWAYS, *_ONLY.get(kind, ())) if is_possible(kind, each)]


def start_seconds(kind: Kind, rnd: Random) -> int:
    """Returns when a life begins (Unix time): where jobs are forgotten, shortly before the horizon moves, or not."""
    if kind is not Kind.RETAINING or rnd.random() < 0.4:
        return _AFTERNOON_SECONDS
    return _AFTERNOON_SECONDS // _DAY_SECONDS * _DAY_SECONDS - rnd.randrange(_BEFORE_MIDNIGHT_SECONDS)


def retention_days(kind: Kind, start_seconds: int, rnd: Random) -> int | None:
    """Returns how many days jobs are kept, so that some of those that are known start before that."""
    if kind is not Kind.RETAINING:
        return None
    earliest = start_seconds // _DAY_SECONDS - NOON_MS // 1_000 // _DAY_SECONDS
    return earliest - rnd.choice((0, 1, rnd.randrange(MOVING_SPAN_MS // 1_000 // _DAY_SECONDS)))
