"""Finds out whether the user of Redis may run all that writers need, before anything is written.

A command that is denied within a script is seen in the midst of a batch, and Redis 7.0 does not even say which one.
"""

from service.store.errors import StoreDeniedError
from service.store.layout.keys import head_key, trial_key
from service.store.redis.outages import GRANT, reaching
from service.store.redis.script import Script
from service.store.redis.shards import one_stripe_each
from service.store.redis.views import Client, read_at_once

_RIGHTS = Script("rights.lua")


async def check_rights(client: Client) -> None:
    """Raises StoreDeniedError, with the names, if the user may not run some commands on some primary.

    A consumer awaits it before it reads. Raises StoreUnavailableError.
    """
    with reaching("asking what the user of Redis may do"):
        await _RIGHTS.load(client)
        stripes = await one_stripe_each(client)
        denied = {name.decode() for stripe in stripes for name in await _RIGHTS.run(client, [trial_key(stripe)])}
    for stripe in stripes:
        await read_at_once(client, [("GET", head_key(stripe))] * 2)  # in a transaction
    if denied:
        raise StoreDeniedError(f"the user of Redis may not run {', '.join(sorted(denied))}; {GRANT}")
