"""Watches a project for all of its streams: one look at a time, and after a change each question once."""

import asyncio
import logging
import time
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass, field

from service.api.live.metrics import StreamMetrics
from service.api.live.pace import Pace
from service.api.live.topic import Question, Topic
from service.runtime.tasks import cancel
from service.runtime.trouble import Trouble
from service.store.contract import Answer, StatisticsStore
from service.store.errors import LayoutError, StoreUnavailableError

_log = logging.getLogger(__name__)
_QUESTIONS_AT_ONCE = 16  # of all streams of a process, as many as one caller's requests may have in work
_PATIENCE_SECONDS = 5.0  # in a cluster some projects are seen in the midst of an outage


@dataclass
class Watching:
    """What the watches of a process share; `give_up` is called for a store of another layout."""

    store: StatisticsStore
    give_up: Callable[[LayoutError], None]
    metrics: StreamMetrics
    pace: Pace
    watches: dict[str, "Watch"] = field(default_factory=dict)
    outage: Trouble = field(default_factory=Trouble)
    asking: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_QUESTIONS_AT_ONCE))


class Watch:
    """Keeps the topics of one project up to date for as long as there are any."""

    def __init__(self, project_id: str, watching: Watching) -> None:
        self.topics: dict[Question, Topic] = {}
        self._project_id = project_id
        self._watching = watching
        self._is_blind = False
        self._task: asyncio.Task[None] | None = None

    async def join(self, question: Question, stream: asyncio.Event) -> Topic:
        """Returns the question's topic, which has a state, and wakes that stream from now on.

        Raises what the store raises; `leave` ends it, also then.
        """
        if self._task is None:  # it is no part of the request that begins it: neither of its log, nor of its trace
            self._task = asyncio.create_task(self._run(), context=Context())
        topic = self.topics.get(question)
        if topic is None:
            topic = self.topics[question] = Topic(question, self._read)
        topic.streams.add(stream)
        if topic.state is None or self._is_blind:
            await topic.ask()
        return topic

    async def leave(self, question: Question, stream: asyncio.Event) -> None:
        """Wakes that stream no more; the topic ends with its last stream, and the watch with its last topic."""
        topic = self.topics[question]
        topic.streams.discard(stream)
        if topic.streams:
            return
        del self.topics[question]
        if not self.topics and self._watching.watches.get(self._project_id) is self:
            del self._watching.watches[self._project_id]
        await topic.close()
        if not self.topics and self._task is not None:
            await cancel([self._task])

    async def _run(self) -> None:
        watching, took_seconds = self._watching, 0.0
        while True:
            await asyncio.sleep(watching.pace.between_looks(len(watching.watches), took_seconds))
            began, took_seconds = time.monotonic(), 0.0
            try:
                await self._look()
            except StoreUnavailableError as error:
                self._is_blind = True
                told = watching.outage.note(str(error))
                _log.log(logging.DEBUG if told is None else logging.ERROR, "streams stand still: %s", error, extra=told)
            except LayoutError as error:
                watching.give_up(error)  # the process stops, and with it all streams
                return
            except Exception as error:  # noqa: BLE001 - a fault of ours: streams end, and say so
                _log.error("streams have failed", exc_info=error)
                watching.watches.pop(self._project_id, None)  # whoever comes back has a new watch
                for topic in self.topics.values():
                    topic.end("failed")
                return
            else:
                self._is_blind = False
                over = watching.outage.end(_PATIENCE_SECONDS)
                if over is not None:
                    _log.info("streams go on", extra=over)
                took_seconds = time.monotonic() - began

    async def _look(self) -> None:
        """Looks at the project; asks the questions whose answers it may have changed. Raises what the store raises."""
        states = {topic: topic.state for topic in self.topics.values() if topic.state is not None}
        standing = await self._watching.store.standing(self._project_id)
        self._watching.metrics.looked()
        stale = []
        for topic, state in states.items():
            if topic.is_asking or topic.state is not state:  # of the answer and the look either may be the older
                continue
            if state.answer.stamp == standing.stamp:
                topic.confirm(standing.as_of_ms)
            else:
                stale.append(topic)
        for result in await asyncio.gather(*(topic.ask() for topic in stale), return_exceptions=True):
            if isinstance(result, Exception):  # a question is cancelled when its last stream leaves: no fault of a look
                raise result

    async def _read(self, question: Question) -> Answer:
        async with self._watching.asking:
            self._watching.metrics.asked()
            return await self._watching.store.read(self._project_id, *question)
