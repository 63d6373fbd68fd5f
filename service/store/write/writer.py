"""Applies batches to the store: one atomic script call a stripe, fenced by the offsets that the writer expects.

This is the last step of a record. docs/store.md, "How a batch is written", describes the script.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, zip_longest
from operator import attrgetter
from struct import Struct
from typing import Any, Literal

from redis.asyncio import Redis, RedisCluster
from redis.exceptions import TryAgainError

from service.events.event import JobStatus
from service.runtime.tasks import side_by_side
from service.store.errors import FencedError, RefusedError, StoreUnavailableError
from service.store.layout.gaps import Gap, pack_gaps
from service.store.layout.heads import LAYOUT_VERSION, NO_TOPIC, Claim, Head, Live, check_layout, pack_expected
from service.store.layout.keys import STRIPES, claims_key, head_key
from service.store.redis.outages import reaching
from service.store.redis.script import Heard, Script, unheard
from service.store.redis.views import DamagedError, parse_stored_head
from service.store.write.batch import ProjectBatch

# A script blocks Redis for about 10 us a job; a stripe's batch with more jobs than this goes in several calls.
MAX_JOBS_PER_CALL = 2_000

_STEP = Struct("<IQQQ")
_TRANSITIONS = Struct("<6I")
_CLAIM = Struct("<QQI")

_APPLY = Script(
    "apply/1_layout.lua",
    "apply/2_claims.lua",
    "apply/2_head.lua",
    "apply/3_users.lua",
    "apply/4_tree.lua",
    "apply/5_rows.lua",
    "apply/6_split.lua",
    "apply/7_records.lua",
    "apply/7_totals.lua",
    "apply/8_main.lua",
)
_TAKE_DOWN = Script("apply/2_claims.lua", "claim.lua")

ScriptName = Literal["apply", "claim"]
_SCRIPTS: Mapping[ScriptName, Script] = {"apply": _APPLY, "claim": _TAKE_DOWN}
_NOBODY: Mapping[ScriptName, Heard] = dict.fromkeys(_SCRIPTS, unheard)


@dataclass(frozen=True, slots=True)
class Step:
    """Moves a stripe in one partition from the offset that is expected there to the next one, with its watermark."""

    partition: int
    expected_offset: int
    next_offset: int
    watermark_ms: int


@dataclass(frozen=True, slots=True)
class StripeBatch:
    """The batch of one stripe: the steps of its partitions, and the batches of its projects.

    The script applies it to that generation alone. A horizon later than the stored one replaces that. The call that
    moves the stripe past `gaps` records them. Offsets are of the topic with `topic_id`; with `adopts` the head becomes
    one of that topic, with all offsets 0. Where `now_ms` is not 0, a later stored watermark of a partition in the steps
    is set back to it.
    """

    stripe: int
    steps: Sequence[Step]
    projects: Sequence[ProjectBatch] = ()
    generation: int = 0
    horizon_ms: int = 0
    gaps: Sequence[Gap] = ()
    topic_id: bytes = NO_TOPIC
    adopts: bool = False
    now_ms: int = 0

    def held(self, projects: Sequence[ProjectBatch]) -> "StripeBatch":
        """Returns a batch of these projects that leaves the stripe at its offsets, so that it can be sent again."""
        steps = [Step(step.partition, step.expected_offset, step.expected_offset, 0) for step in self.steps]
        return replace(self, steps=steps, projects=projects, gaps=())


def _calls(batch: StripeBatch) -> Iterator[StripeBatch]:
    """Splits a batch into calls; all but the last leave the offsets where they are, so that it can be sent again."""
    projects: list[ProjectBatch] = []
    jobs = 0
    for project in batch.projects:
        for piece in project.pieces(MAX_JOBS_PER_CALL):
            if jobs and jobs + len(piece) > MAX_JOBS_PER_CALL:
                yield batch.held(projects)
                projects, jobs = [], 0
            projects.append(piece)
            jobs += len(piece)
    yield replace(batch, projects=projects)


@dataclass(frozen=True, slots=True)
class Applied:
    """The result of applying batches.

    `changed` is the number of job records that changed. `moved_ids` has by stripe the id of the write that last moved
    its head, `refused` by stripe why its batch was refused.
    """

    changed: int
    moved_ids: Mapping[int, bytes]
    refused: Mapping[int, RefusedError]


class StoreWriter:
    """Writes batches and claims through a client that never repeats a command by itself.

    `key_of_head` gives the key of the head that the fence checks; a generation that is being built has other heads.
    `transitions` counts by status the jobs that came into it with a batch that this writer has applied, as far as the
    store has said so: an event that changes nothing is none. `heard` is told by script how long replies took.
    """

    def __init__(
        self,
        client: Redis | RedisCluster,
        key_of_head: Callable[[int], str] = head_key,
        *,
        heard: Mapping[ScriptName, Heard] = _NOBODY,
    ) -> None:
        self.client = client
        self._heard = heard
        self._key_of_head = key_of_head
        self.transitions = Counter(dict.fromkeys(JobStatus, 0))
        self._layout_version = LAYOUT_VERSION  # of heads that are made anew

    async def read_heads(self) -> list[Head]:
        """Returns the heads of all stripes. Raises StoreUnavailableError, LayoutError."""
        keys = [self._key_of_head(stripe) for stripe in range(STRIPES)]
        with reaching("reading heads"):
            data: list[Any] = await self._get_all(keys)
        try:
            heads = [parse_stored_head(stripe, each) for stripe, each in enumerate(data)]
        except DamagedError as error:
            raise StoreUnavailableError(str(error)) from error
        # a store that began with an older layout stays what the release that began it can read
        self._layout_version = min(head.layout_version for head in heads)
        return heads

    async def _get_all(self, keys: list[str]) -> Any:
        if isinstance(self.client, RedisCluster):
            return await side_by_side(*[self.client.get(key) for key in keys])
        return await self.client.mget(keys)

    async def apply(self, partitions: int, batches: Sequence[StripeBatch]) -> Applied:
        """Applies the batches as `try_apply` does, and raises its errors; raises the first RefusedError, too."""
        applied = await self.try_apply(partitions, batches)
        for refusal in applied.refused.values():
            raise refusal
        return applied

    async def try_apply(self, partitions: int, batches: Sequence[StripeBatch]) -> Applied:
        """Applies the batches, each stripe by itself; a stripe whose batch is refused stays at its offsets.

        `partitions` is the topic's number of partitions. Raises the first failure after all stripes have answered:
        StoreUnavailableError (a batch may have been applied, or in part; it may be sent again from the offsets that
        the heads then have), FencedError or LayoutError (that stripe is unchanged).
        """
        calls = [list(_calls(batch)) for batch in batches]
        changed, moved_ids, refused = 0, dict[int, bytes](), dict[int, RefusedError]()
        for turn in zip_longest(*calls):
            some = [call for call in turn if call and call.stripe not in refused]
            replies = await self._run([self._arguments(call, partitions) for call in some], "apply")
            self._count_transitions(replies)
            for call, reply in zip(some, replies, strict=True):
                try:
                    [count, moved_id] = _result(call.stripe, reply)
                except RefusedError as refusal:
                    refused[call.stripe] = refusal
                    continue
                changed += count
                moved_ids[call.stripe] = moved_id
        moved = {each: moved_ids[each] for each in moved_ids if each not in refused}
        return Applied(changed, moved, refused)

    async def claim(self, partitions: int, claim: Claim, moved_ids: Mapping[int, bytes], now_ms: int) -> list[int]:
        """Writes a claim in the stripes whose heads have not moved since the caller looked. Consumers await it.

        `partitions` is the topic's number of partitions at the watermark; `moved_ids` has by stripe the id of the last
        move of its head, as the caller knows it. Returns the stripes whose heads have moved, or have fewer partitions:
        they get no claim. A stripe whose slot is being moved gets none, and is not returned. Raises
        StoreUnavailableError.
        """
        stripes = list(moved_ids)
        groups = [[stripe] for stripe in stripes] if isinstance(self.client, RedisCluster) else [stripes]
        facts = _CLAIM.pack(now_ms, claim.watermark_ms, partitions)
        calls = []
        for group in filter(None, groups):
            keys = list(chain.from_iterable((self._key_of_head(stripe), claims_key(stripe)) for stripe in group))
            ids = b"".join(moved_ids[stripe] for stripe in group)
            calls.append([len(keys), *keys, facts, claim.bits, ids])
        moved = []
        replies = await self._run(calls, "claim")
        for group, reply in zip(filter(None, groups), replies, strict=True):
            if isinstance(reply, TryAgainError):
                continue  # the slot is being moved; without the claim the stripe's as-of is only older
            with reaching("claiming that stripes are fresh"):
                _raise(reply)
            moved += [group[number - 1] for number in reply]
        return moved

    async def _run(self, calls: Sequence[Sequence[Any]], name: ScriptName) -> list[Any]:
        """Calls a script with each of these arguments; returns the replies, with errors in the place of replies."""
        with reaching("calling a script"):
            return await _SCRIPTS[name].run_each(self.client, calls, self._heard[name])

    def _count_transitions(self, replies: Sequence[Any]) -> None:
        for reply in replies:
            if isinstance(reply, list) and reply[0] == b"ok":
                self.transitions.update(dict(zip(JobStatus, _TRANSITIONS.unpack(reply[3]), strict=True)))

    def _arguments(self, batch: StripeBatch, partitions: int) -> list[Any]:
        live = Live(batch.generation, batch.horizon_ms)
        expected = pack_expected(partitions, live, batch.now_ms, batch.topic_id, adopts=batch.adopts)
        steps = b"".join(
            _STEP.pack(step.partition, step.expected_offset, step.next_offset, step.watermark_ms)
            for step in sorted(batch.steps, key=attrgetter("partition"))
        )
        arguments: list[Any] = [1, self._key_of_head(batch.stripe), self._layout_version, os.urandom(8)]
        arguments += expected + steps, pack_gaps(batch.gaps)
        for project in batch.projects:
            arguments += project.project_id, project.users, project.jobs
        return arguments


def _raise(reply: Any) -> None:
    if isinstance(reply, BaseException):
        raise reply


def _result(stripe: int, reply: Any) -> tuple[int, bytes]:
    """Returns the number of records changed and the id of the last move from a script's reply.

    Raises the error that the reply is or stands for: StoreUnavailableError, FencedError, LayoutError, RefusedError.
    """
    with reaching(f"applying a batch to stripe {stripe}"):
        _raise(reply)
    match reply[0]:
        case b"ok":
            return int(reply[1]), reply[2]
        case b"fenced":
            raise FencedError(stripe)
        case b"layout":
            check_layout(Head(int(reply[1]), ()))
        case _:
            pass
    project_id, problem = reply[1].decode(), reply[2].decode()
    raise RefusedError(stripe, project_id, problem)
