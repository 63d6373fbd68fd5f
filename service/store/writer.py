"""Applies batches to the store: one atomic script a stripe, fenced by the offsets that it expects to find there."""

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from itertools import zip_longest
from operator import attrgetter
from struct import Struct
from typing import Any

from redis.asyncio import Redis, RedisCluster
from redis.exceptions import NoScriptError

from service.store.batch import ProjectBatch
from service.store.contract import REDIS_ERRORS, FencedError, RefusedError, StoreUnavailableError
from service.store.gaps import Gap, pack_gaps
from service.store.layout import LAYOUT_VERSION, STRIPES, Head, check_layout, head_key, parse_head

# A script holds Redis for about 10 us a job; a stripe's batch with more jobs goes in several calls.
MAX_JOBS_PER_CALL = 2_000

_STEP = Struct("<IQQQ")
# partitions, generation, horizon
_STRIPE = Struct("<IIQ")


def load_script() -> str:
    """The script: the files of `lua/`, joined in the order of their names."""
    files = sorted(resources.files("service.store").joinpath("lua").iterdir(), key=lambda file: file.name)
    return "\n".join(file.read_text() for file in files if file.name.endswith(".lua"))


@dataclass(frozen=True, slots=True)
class Step:
    """Moves one partition of a stripe from the offset expected there to the next, with its watermark."""

    partition: int
    expected_offset: int
    next_offset: int
    watermark_ms: int


@dataclass(frozen=True, slots=True)
class StripeBatch:
    """What is applied to one stripe at once: progress of partitions, and the batches of its projects.

    It goes into that generation alone; a horizon later than the stored one replaces it. Gaps are recorded with the
    step that moves the stripe past them.
    """

    stripe: int
    steps: Sequence[Step]
    projects: Sequence[ProjectBatch] = ()
    generation: int = 0
    horizon_ms: int = 0
    gaps: Sequence[Gap] = ()

    def held(self, projects: Sequence[ProjectBatch]) -> "StripeBatch":
        """These projects for the same stripe, which stays at its offsets: whatever comes of it can be sent again."""
        steps = [Step(step.partition, step.expected_offset, step.expected_offset, 0) for step in self.steps]
        return replace(self, steps=steps, projects=projects, gaps=())


def _calls(batch: StripeBatch) -> Iterator[StripeBatch]:
    """The calls of a batch; all but the last leave the offsets where they are, so that it can be sent again."""
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


class StoreWriter:
    """Writes to the store through a client that never repeats a command by itself.

    `key_of_head` gives the head of a stripe that the fence is in; a rebuild has heads of its own.
    """

    def __init__(self, client: Redis | RedisCluster, key_of_head: Callable[[int], str] = head_key) -> None:
        self.client = client
        self._key_of_head = key_of_head
        self._script = load_script()
        self._sha = ""

    async def read_heads(self) -> list[Head]:
        """The heads of all stripes. Raises StoreUnavailableError, LayoutError."""
        keys = [self._key_of_head(stripe) for stripe in range(STRIPES)]
        try:
            data: list[Any] = await self._get_all(keys)
        except REDIS_ERRORS as error:
            raise StoreUnavailableError(f"reading heads: {error}") from error
        return [check_layout(parse_head(each)) for each in data]

    async def _get_all(self, keys: list[str]) -> Any:
        if isinstance(self.client, RedisCluster):
            return await asyncio.gather(*[self.client.get(key) for key in keys])
        return await self.client.mget(keys)

    async def apply(self, partitions: int, batches: Sequence[StripeBatch]) -> int:
        """Applies the batches, each stripe by itself; returns how many job records changed.

        `partitions` is the topic's number of partitions. Raises the first failure after all stripes have answered:
        StoreUnavailableError (a stripe may or may not have been applied; the same batch may be sent again from
        the offsets that the heads then show), FencedError, RefusedError or LayoutError (that stripe unchanged).
        """
        calls = [list(_calls(batch)) for batch in batches]
        changed = 0
        for turn in zip_longest(*calls):
            changed += await self._run([(call.stripe, self._arguments(call, partitions)) for call in turn if call])
        return changed

    async def _run(self, calls: list[tuple[int, list[Any]]]) -> int:
        try:
            if not self._sha:
                self._sha = str(await self.client.script_load(self._script))
            replies = await self._send("EVALSHA", self._sha, calls)
            missing = [call for call, reply in zip(calls, replies, strict=True) if isinstance(reply, NoScriptError)]
            if missing:  # a restart, a failover or SCRIPT FLUSH; EVAL loads the script again
                again = iter(await self._send("EVAL", self._script, missing))
                replies = [next(again) if isinstance(reply, NoScriptError) else reply for reply in replies]
        except REDIS_ERRORS as error:
            raise StoreUnavailableError(f"applying a batch: {error}") from error
        return sum(_result(stripe, reply) for (stripe, _), reply in zip(calls, replies, strict=True))

    async def _send(self, command: str, script: str, calls: list[tuple[int, list[Any]]]) -> list[Any]:
        if isinstance(self.client, RedisCluster):  # a pipeline over several nodes may run a command twice
            return await asyncio.gather(
                *[self.client.execute_command(command, script, *arguments) for _, arguments in calls],
                return_exceptions=True,
            )
        async with self.client.pipeline(transaction=False) as pipeline:
            for _, arguments in calls:
                pipeline.execute_command(command, script, *arguments)
            return await pipeline.execute(raise_on_error=False)

    def _arguments(self, batch: StripeBatch, partitions: int) -> list[Any]:
        progress = _STRIPE.pack(partitions, batch.generation, batch.horizon_ms) + b"".join(
            _STEP.pack(step.partition, step.expected_offset, step.next_offset, step.watermark_ms)
            for step in sorted(batch.steps, key=attrgetter("partition"))
        )
        gaps = pack_gaps(batch.gaps)
        arguments: list[Any] = [1, self._key_of_head(batch.stripe), LAYOUT_VERSION, os.urandom(8), progress, gaps]
        for project in batch.projects:
            arguments += project.project_id, project.users, project.jobs
        return arguments


def _result(stripe: int, reply: Any) -> int:
    """Records changed, from a script's reply; raises what the reply or the error in its place says."""
    if isinstance(reply, REDIS_ERRORS):
        raise StoreUnavailableError(f"applying a batch to stripe {stripe}: {reply}") from reply
    if isinstance(reply, BaseException):
        raise reply
    match reply[0]:
        case b"ok":
            return int(reply[1])
        case b"fenced":
            raise FencedError(stripe)
        case b"layout":
            check_layout(Head(int(reply[1]), ()))
        case _:
            pass
    project_id, problem = reply[1].decode(), reply[2].decode()
    raise RefusedError(stripe, project_id, problem)
