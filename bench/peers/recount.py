"""The check of what a peer has counted against a recount by brute force."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import cast
from zlib import crc32

from redis import Redis

from bench.recount import WrongAnswerError, to_event
from bench.streams import Transition
from deploy.local.plan import PARTITIONS
from tests.oracle import latest_events

_HOUR_MS = 3_600_000
_KEYS_PER_CALL = 2_000


class PeerRecount:
    """What the hourly counts must be after any first part of each partition."""

    def __init__(self, stream: Sequence[Transition]) -> None:
        self._partitions: list[list[Transition]] = [[] for _ in range(PARTITIONS)]
        for each in stream:  # as the publisher spreads them
            self._partitions[crc32(f"{each.project_id}/{each.job_id}".encode()) % PARTITIONS].append(each)

    def check(self, redis: Redis, taken: Mapping[int, int]) -> None:
        """Raises WrongAnswerError unless every count is right after so many records of each partition."""
        expected = self._counts(taken)
        found = Counter(dict(_read(redis)))
        if found != expected:
            place = next(iter((found - expected) or (expected - found)))
            raise WrongAnswerError(f"{place[0]} {place[1]}: {found[place]} instead of {expected[place]}")

    def _counts(self, taken: Mapping[int, int]) -> Counter[tuple[str, str]]:
        parts = [partition[: taken.get(number, 0)] for number, partition in enumerate(self._partitions)]
        counts: Counter[tuple[str, str]] = Counter()
        for event in latest_events(to_event(each) for part in parts for each in part).values():
            key = f"hour:{event.project_id}:{event.start_time_ms // _HOUR_MS}"
            counts[key, f"{event.user_id}:{event.status.name}"] += 1
            counts[key, f"{event.user_id}:size"] += event.input_size_bytes
        return counts


def _read(redis: Redis) -> Iterator[tuple[tuple[str, str], int]]:
    """Every count that is not zero."""
    names = redis.scan_iter("hour:*", count=_KEYS_PER_CALL)
    while keys := list(islice(names, _KEYS_PER_CALL)):
        with redis.pipeline(transaction=False) as pipeline:
            for key in keys:
                pipeline.hgetall(key)
            for key, fields in zip(keys, pipeline.execute(), strict=True):
                for field, value in cast(dict[bytes, bytes], fields).items():
                    if int(value):
                        yield (cast(bytes, key).decode(), field.decode()), int(value)
