"""Apache Kafka in memory: a cluster that speaks its protocol, and what may go wrong with it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

from tests.simulation.kafka.cluster import Cluster
from tests.simulation.kafka.compaction import compact, may_drop_all
from tests.simulation.kafka.damage import Flaw, damage
from tests.simulation.kafka.outages import Outages
from tests.simulation.kafka.records import StoredRecord, is_aborted, records_of
from tests.simulation.kafka.replica import Replica


class KafkaModel(Cluster):
    """Holds the cluster, see Cluster, and does to it what happens to one.

    What is done with logs raises LookupError while the partition has no leader.
    """

    def __init__(self, nodes: Sequence[tuple[str, int]], rnd: Random, now_ms: Callable[[], int]) -> None:
        super().__init__(nodes, rnd, now_ms)
        self.outages = Outages(self, session_seconds=3.0, startup_seconds=1.0, lag_seconds=30.0)

    def kill(self, number: int) -> None:
        """Kills a node: its connections are lost; others lead its partitions when its session has ended."""
        self.outages.kill(number)

    def start(self, number: int) -> None:
        """Starts a node that was killed, over the logs that it had; it listens after some time."""
        self.outages.start(number)

    def hang(self, number: int) -> None:
        """Stops a node, which answers nothing; others lead its partitions when its session has ended."""
        self.outages.hang(number)

    def wake(self, number: int) -> None:
        """Has a node that hung go on."""
        self.outages.wake(number)

    def listening(self, number: int) -> bool:
        """Returns whether a node takes connections, as one that hangs does."""
        return self.nodes[number].is_up

    def hold_replication(self, number: int) -> None:
        """Has a node take no records from leaders, until it is released; all else goes on."""
        self.outages.hold(number)

    def release_replication(self, number: int) -> None:
        """Has a node take records from leaders again."""
        self.outages.release(number)

    def move_leader(self, topic: str, partition: int, number: int) -> None:
        """Makes another node, which must be in sync, the leader of a partition."""
        self.controller.elect(topic, partition, number)

    def add_partitions(self, topic: str, count: int) -> None:
        """Adds so many partitions to a topic; they are empty."""
        image = self.controller.image.topics[topic]
        more = self.controller.place(count, len(image.partitions[0].replicas))
        self.controller.put_topic(replace(image, partitions=(*image.partitions, *more)))

    def delete_topic(self, topic: str) -> None:
        """Deletes a topic with all its records; nodes hear of it in a moment."""
        self.controller.drop_topic(topic)

    def records(self, topic: str, partition: int) -> list[StoredRecord]:
        """Returns all records of a partition that are committed and safe now."""
        leader = self._lead(topic, partition)
        stable = leader.producers.stable_before(leader.high_watermark)
        aborted = leader.producers.aborted
        batches = [each for each in leader.log.batches if each.last < stable and not each.is_control]
        if any(each.is_damaged for each in batches):
            raise LookupError(f"partition {partition} of {topic} is damaged now")
        return [record for each in batches if not is_aborted(each, aborted) for record in records_of(each)]

    def stable_end(self, topic: str, partition: int) -> int:
        """Returns the offset before which everything in a partition is safe, and committed or aborted."""
        leader = self._lead(topic, partition)
        return leader.producers.stable_before(leader.high_watermark)

    def end(self, topic: str, partition: int) -> int:
        """Returns the offset that the next record of a partition gets."""
        return self._lead(topic, partition).log.end

    def _replicas(self, topic: str, partition: int) -> list[Replica]:
        found = [node.replicas.get((topic, partition)) for node in self.nodes.values() if node.is_running]
        return [replica for replica in found if replica is not None]

    def drop_oldest(self, topic: str, partition: int, before: int) -> int:
        """Drops the batches that end before an offset, as retention does; returns where the log begins then."""
        leader = self._lead(topic, partition)
        before = min(before, leader.high_watermark)
        at = leader.log.index(before)
        batches = leader.log.batches
        start = min(before, batches[at].base) if at < len(batches) else before
        leader.drop_before(start)
        self.replication.followers_fetch(leader)
        return leader.log.start

    def compact(
        self,
        topic: str,
        partition: int,
        drops_tombstones: bool = False,
        may_drop: Callable[[int], bool] = may_drop_all,
    ) -> None:
        """Compacts what is safe of a partition, but for its last batch; drops records without a value if told so.

        Records stay at the offsets that `may_drop` does not allow.
        """
        leader = self._lead(topic, partition)
        stable = leader.producers.stable_before(leader.high_watermark)
        batches = [batch for batch in leader.log.batches[:-1] if batch.last < stable]
        if not any(batch.is_damaged for batch in batches):
            changes = compact(batches, leader.producers.aborted, drops_tombstones, may_drop)
            for replica in self._replicas(topic, partition):
                replica.change(changes)

    def corrupt(self, topic: str, partition: int, offset: int, flaw: Flaw) -> Callable[[], None]:
        """Damages the batch with an offset on the disks of all nodes; returns what mends it."""
        leader = self._lead(topic, partition)
        batch = leader.log.batches[leader.log.index(offset)]
        damaged = damage(batch, flaw, self.rnd)
        for replica in self._replicas(topic, partition):
            replica.change({batch: damaged})

        def mend() -> None:
            for node in self.nodes.values():
                replica = node.replicas.get((topic, partition))
                if replica is not None:
                    replica.change({damaged: batch})

        return mend

    def _lead(self, topic: str, partition: int) -> Replica:
        leader = self.leader(topic, partition)
        if leader is None:
            raise LookupError(f"partition {partition} of {topic} has no leader now")
        return leader
