"""One node's copy of a partition: its log, what of it is safe, and its part as leader or follower. Pure, no I/O."""

from collections.abc import Callable, Mapping

from tests.simulation.kafka.batches import Batch
from tests.simulation.kafka.image import NOBODY, PartitionImage
from tests.simulation.kafka.log import Log
from tests.simulation.kafka.producers import Producers

READ_COMMITTED = 1


class Replica:
    """Holds a node's copy of a partition, which is led by this node if `leads`.

    Records before `high_watermark` are on all replicas in sync, as far as this node knows. `watchers` are called when
    there may be more to read, or when the leader changes.
    """

    def __init__(self, name: str, number: int, topic_id: bytes, node: int, least_in_sync: int) -> None:
        self.key = (name, number)
        self.topic_id = topic_id
        self.node = node
        self.log = Log()
        self.producers = Producers()
        self.high_watermark = 0
        self.image = PartitionImage((), (), NOBODY, -1)
        self.epoch_start = 0
        self.least_in_sync = least_in_sync
        self.watchers: dict[Callable[[], None], None] = {}
        self.is_behind_epoch = False
        self._ends: dict[int, int] = {}

    @property
    def leads(self) -> bool:
        """Returns whether this node takes itself for the leader."""
        return self.image.leader == self.node

    @property
    def has_enough_in_sync(self) -> bool:
        """Returns whether so many replicas are in sync that a record may become safe."""
        return len(self.image.in_sync) >= self.least_in_sync

    @property
    def knows_its_end(self) -> bool:
        """Returns whether the high watermark covers all that the former leaders have acknowledged (KIP-207)."""
        return self.high_watermark >= self.epoch_start

    def end_for(self, isolation: int) -> int:
        """Returns the offset before which a consumer with this isolation level may read."""
        if isolation == READ_COMMITTED:
            return self.producers.stable_before(self.high_watermark)
        return self.high_watermark

    def learn(self, image: PartitionImage) -> None:
        """Takes what the controller has decided; a new epoch makes this node a leader or a follower anew."""
        is_new_epoch = image.epoch != self.image.epoch
        self.image = image
        if is_new_epoch:
            self._ends.clear()
            self.epoch_start = self.log.end
            self.is_behind_epoch = not self.leads
        if self.leads:
            self._advance()
        if is_new_epoch:
            self.notify()

    def append(self, batch: Batch, append_ms: int | None) -> Batch:
        """Adds a batch as the leader, and returns it as it lies in the log."""
        placed = batch.placed(self.log.end, self.image.epoch, append_ms)
        self.take(placed)
        self._advance()
        return placed

    def take(self, batch: Batch) -> None:
        """Adds a batch that has its place already."""
        self.log.append(batch)
        self.producers.append(batch)

    def acknowledge(self, follower: int, end: int) -> None:
        """Notes as the leader that a follower has all before `end`."""
        self._ends[follower] = end
        self._advance()

    def may_join(self, follower: int) -> bool:
        """Returns whether a follower has so much that it is in sync."""
        return self._ends.get(follower, -1) >= max(self.high_watermark, self.epoch_start)

    def _advance(self) -> None:
        if not self.has_enough_in_sync:
            return
        ends = [self.log.end if node == self.node else self._ends.get(node, -1) for node in self.image.in_sync]
        safe = min(ends, default=-1)
        if safe > self.high_watermark:
            self.high_watermark = safe
            self.notify()

    def notify(self) -> None:
        """Calls the watchers."""
        for watcher in list(self.watchers):
            watcher()

    def follow(self, leader: "Replica") -> None:
        """Makes this log that of the leader: drops what the leader does not have, and takes what is missing."""
        log, other = self.log, leader.log
        if self.is_behind_epoch:
            self.is_behind_epoch = False
            self._drop_what_differs(other)
        if log.end < other.start:
            self.restart_at(other.start)
        for batch in other.batches[other.index(log.end) :]:
            self.take(batch)
        self.drop_before(other.start)

    def _drop_what_differs(self, other: Log) -> None:
        at = len(self.log.batches)
        while at:
            mine = self.log.batches[at - 1]
            there = other.index(mine.base)
            if there < len(other.batches) and _is_same(other.batches[there], mine):
                break
            at -= 1
        if at < len(self.log.batches):
            self.log.truncate(at)
            self.high_watermark = min(self.high_watermark, self.log.end)
            self.recall_producers()

    def restart_at(self, offset: int) -> None:
        """Gives up the whole log, which begins anew at an offset."""
        self.log = Log(offset)
        self.high_watermark = offset
        self.recall_producers()

    def recall_producers(self) -> None:
        """Finds out from the log what is known of producers."""
        self.producers = Producers()
        for batch in self.log.batches:
            self.producers.append(batch)

    def learn_high_watermark(self, high_watermark: int) -> None:
        """Takes the leader's high watermark as a follower."""
        known = min(high_watermark, self.log.end)
        if known > self.high_watermark:
            self.high_watermark = known
            self.notify()

    def drop_before(self, offset: int) -> None:
        """Moves the start of the log, as retention or a client demands it."""
        if offset > self.log.start:
            self.log.drop_before(offset)
            self.producers.forget_before(self.log.start)
            self.high_watermark = max(self.high_watermark, self.log.start)
            self.notify()

    def change(self, changes: Mapping[Batch, Batch | None]) -> None:
        """Takes other batches in place of its own, or none."""
        changed = [changes.get(batch, batch) for batch in self.log.batches]
        self.log.replace([batch for batch in changed if batch is not None])


def _is_same(one: Batch, other: Batch) -> bool:
    """Returns whether both are what one leader has written in one place; compaction may have changed one of them."""
    return (one.last, one.epoch) == (other.last, other.epoch)
