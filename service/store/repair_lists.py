"""Mends lists of projects."""

from service.store.audit_findings import WrongMembers
from service.store.damage import Client
from service.store.outages import reaching
from service.store.script import write


async def mend_list(client: Client, cause: WrongMembers) -> None:
    """Adds what the list lacks and takes out what is no project; can be repeated. Raises StoreUnavailableError."""
    with reaching(f"mending {cause.key}"):
        if cause.is_foreign:
            await write(client, ("DEL", cause.key))
        if cause.lacking:
            await write(client, ("SADD", cause.key, *sorted(cause.lacking)))
        if cause.surplus:
            await write(client, ("SREM", cause.key, *sorted(cause.surplus)))
