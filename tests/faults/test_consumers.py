"""Consumers end, hang and come back under load: each event counts, and counts once."""

import signal

from deploy.local.waiting import eventually
from tests.chaos.faults import consumer_hangs, consumer_joins, consumer_killed, consumer_stopped, stop_consumer
from tests.chaos.rig import Rig
from tests.store.proxy import running_proxy

ALL_PARTITIONS = '"partitions": [0, 1, 2, 3]'


async def test_consumers_killed_at_any_instant(rig: Rig) -> None:
    """One consumer after the other is killed in the middle of its work, before others have taken over from the last."""
    async with rig.flowing():
        for _ in range(3):
            await rig.load.more(rig.rnd.randrange(50, 500))
            async with consumer_killed(rig):
                await rig.load.more(rig.rnd.randrange(50, 500))
    await rig.verify()


async def test_consumers_join_and_leave_all_the_time(rig: Rig) -> None:
    """Rebalances that overtake one another change nothing, and whoever is told to stop exits with 0 in time."""
    async with rig.flowing():
        for _ in range(3):
            async with consumer_joins(rig), consumer_stopped(rig):
                await rig.load.more(rig.rnd.randrange(50, 500))
    await rig.verify()


async def test_a_zombie_changes_nothing(rig: Rig) -> None:
    """A consumer that hangs with a write on its way loses its partitions; the write comes late, and then it goes on."""
    async with running_proxy(rig.store.url) as own_way, rig.flowing():
        zombie = await rig.system.start_consumer(STATS_REDIS_URL=own_way.url)
        await rig.load.more(300)
        own_way.flowing.clear()
        await rig.load.more(600)
        zombie.child.process.send_signal(signal.SIGSTOP)
        assigned = rig.said("partitions assigned")
        await eventually(lambda: rig.said("partitions assigned") >= assigned + 2, "the others have taken over")
        await rig.load.more(300)
        own_way.flowing.set()
        await rig.load.more(300)
        zombie.child.process.send_signal(signal.SIGCONT)
        await eventually(lambda: rig.said("partitions assigned") >= assigned + 4, "the zombie is back in the group")
        await rig.load.more(300)
        await stop_consumer(zombie)
    await rig.verify()


async def test_one_slow_consumer(rig: Rig) -> None:
    """A consumer whose Redis answers late is late itself, and neither wrong nor expelled."""
    async with running_proxy(rig.store.url) as own_way, rig.flowing():
        own_way.delay_seconds = 0.3
        slow = await rig.system.start_consumer(STATS_REDIS_URL=own_way.url)
        await rig.load.more(3_000)
        await rig.system.ask_as_of(("growing", None, None, None), rig.load.acknowledged_ms)
        assert len(slow.log_lines("partitions assigned")) == 1
        await stop_consumer(slow)
    await rig.verify()


async def test_a_consumer_hangs_for_a_moment(rig: Rig) -> None:
    """A consumer that does nothing for less than a session keeps its partitions, and goes on."""
    assigned = rig.said("partitions assigned")
    async with rig.flowing():
        async with consumer_hangs(rig):
            await rig.load.more(2_000)
        await rig.load.more(300)
    await rig.verify()
    assert rig.said("partitions assigned") == assigned
