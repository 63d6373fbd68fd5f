"""Redis breaks under a running system: what it lost is read again from the topic, and no answer is ever wrong."""

import pytest

from deploy.local.waiting import eventually
from tests.chaos import faults
from tests.chaos.faults import Fault
from tests.chaos.rig import Rig

# by fault: what the consumers say of it at last; nothing of one that does not keep them from writing
SAYINGS: dict[Fault, str | None] = {
    faults.redis_killed: "StoreUnavailableError",
    faults.redis_file_cut: "StoreUnavailableError",
    # it is back within a moment, in which no consumer may have asked it
    faults.redis_loses_power: "starting again from the store's offsets",
    faults.redis_loses_power_twice: "starting again from the store's offsets",
    faults.redis_emptied: "StoreUnavailableError",
    faults.redis_restored: "starting again from the store's offsets",
    faults.redis_fails_over: "starting again from the store's offsets",
    faults.redis_full: "maxmemory",
    faults.redis_read_only: "read only replica",
    faults.redis_hangs: "Timeout",
    faults.redis_slow: None,
    faults.redis_disconnects: None,
    faults.redis_forgets_scripts: None,
    faults.redis_forbids_a_command: None,
    faults.redis_kills_scripts: None,
    faults.redis_kills_connections: None,
}
NOTICED_LATER = (faults.redis_restored, faults.redis_fails_over)  # they are quick, and come at the end


@pytest.mark.parametrize("fault", SAYINGS, ids=lambda fault: fault.__name__)
async def test_nothing_is_lost_when(rig: Rig, fault: Fault) -> None:
    """While Redis is broken each answer is right or 503; afterwards all is counted, and the consumers said what was."""
    saying = SAYINGS[fault]
    said = rig.said(saying) if saying else 0
    answers = rig.reader.answers
    async with rig.flowing():
        await rig.load.more(300)
        async with fault(rig):
            await rig.load.more(600)
            if saying and fault not in NOTICED_LATER:
                await eventually(lambda: rig.said(saying) > said, f"a consumer says {saying}")
        await rig.load.more(300)
        if saying:
            await eventually(lambda: rig.said(saying) > said, f"a consumer says {saying}")
    await rig.verify()
    assert rig.reader.answers > answers
