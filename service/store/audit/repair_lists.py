"""Mends lists of projects."""

from service.store.audit.findings import WrongMembers
from service.store.audit.reads import chunks
from service.store.audit.stripes import find_all
from service.store.layout.keys import projects_key
from service.store.redis.outages import reaching
from service.store.redis.script import Command, write
from service.store.redis.views import FOREIGN, Client, read_at_once, read_head


async def mend_list(client: Client, cause: WrongMembers) -> None:
    """Adds what the list lacks and takes out what is no project; can be repeated. Raises StoreUnavailableError."""
    commands: list[Command] = []
    if cause.is_foreign:
        commands.append(("DEL", cause.key))
    commands += [("SADD", cause.key, *some) for some in chunks(sorted(cause.lacking))]
    commands += [("SREM", cause.key, *some) for some in chunks(sorted(cause.surplus))]
    # a count of the totals goes by the list, and one may be under way
    commands.append(("DEL", f"{cause.key.removesuffix('projects')}totals"))
    with reaching(f"mending {cause.key}"):
        await write(client, *commands)


async def mend_foreign_list(client: Client, stripe: int) -> bool:
    """Makes a stripe's list of projects anew if it is of another type; returns whether it was.

    The list then has those projects that have keys. Raises StoreUnavailableError, DamagedError, LayoutError.
    """
    generation = (await read_head(client, stripe)).generation
    key = projects_key(stripe, generation)
    if await read_at_once(client, [("SMEMBERS", key)]) != [FOREIGN]:
        return False
    # first of all, as a project that is new from here on lists itself
    await mend_list(client, WrongMembers(key, is_foreign=True))
    with reaching("looking for projects"):
        found = await find_all(client)
    await mend_list(client, WrongMembers(key, frozenset(found.get((stripe, generation), ()))))
    return True
