"""Recomputes a project's tree from its job records and says where the two differ.

For a store at rest: what is read is not one atomic view, so a write meanwhile can look like drift.
"""

from dataclasses import dataclass
from itertools import chain

from redis.asyncio import Redis, RedisCluster

from service.store.audit_tree import (
    RECORD_BYTES,
    Problems,
    are_ascending,
    check_bottoms,
    check_nodes,
    check_shape,
    check_sums,
    contributions,
    items_of,
    sum_of,
)
from service.store.batch import pack_user
from service.store.contents import Contents, read_contents
from service.store.layout import job_hash, parse_user, project_prefix, user_key

_NAME_BYTES = 19


@dataclass(frozen=True, slots=True)
class Drift:
    """A key of a project that is not what the rest of the project says it must be."""

    project_id: str
    key: str
    what: str


async def audit_project(client: Redis | RedisCluster, project_id: str) -> list[Drift]:
    """Every drift of a project, an empty list if all is well; the whole project is held in memory.

    Raises StoreUnavailableError, LayoutError.
    """
    contents = await read_contents(client, project_id)
    checks = (_check_records, check_shape, check_nodes, check_bottoms, check_sums, _check_users)
    problems = chain.from_iterable(check(contents) for check in checks)
    prefix = project_prefix(project_id)
    return [Drift(project_id, prefix + key, what) for key, what in problems]


def _check_records(contents: Contents) -> Problems:
    """Job records against the hashes they lie in, and against the meta."""
    hashes = len(contents.records)
    power = 1 << max(hashes.bit_length() - 1, 0)
    for number, records in enumerate(contents.records):
        for job, record in records.items():
            if len(record) != RECORD_BYTES:
                yield f"j:{number}", f"job {job.hex()} has a record of {len(record)} bytes"
            home = job_hash(job) % (2 * power)
            home = home if home < hashes else home % power
            if home != number:
                yield f"j:{number}", f"job {job.hex()} belongs into hash {home}"
    if contents.meta is None:
        if contents.nodes or contents.users or contents.times or contents.shape:
            yield "m", "is missing, and other keys are there"
        return
    found = sum(map(len, contents.records))
    if contents.meta.records != found:
        yield "m", f"says {contents.meta.records} records, {found} are there"


def _check_users(contents: Contents) -> Problems:
    """Who is named, and when, against who has jobs."""
    named = {item[:6]: item for item in items_of(contents.times, _NAME_BYTES)}
    counted = {entry[14:20] for entry in contributions(contents)}
    counted |= {user for string in contents.nodes.values() for user, _ in sum_of(string)}
    for user in sorted(counted - contents.users.keys()):
        yield "u", f"lacks user {user.hex()}, who has jobs"
    for user in sorted(contents.users.keys() ^ named.keys()):
        yield "t", f"{'lacks' if user in contents.users else 'has a surplus'} user {user.hex()}"
    if len(contents.times) % _NAME_BYTES or not are_ascending(items_of(contents.times, _NAME_BYTES)):
        yield "t", "is not sorted by user key"
    for user, value in sorted(contents.users.items()):
        user_id, name = parse_user(value)
        if user_key(user_id) != user:
            yield "u", f"has user {user_id} under the key {user.hex()}"
        item = named.get(user)
        if item and item != pack_user(user_id, int.from_bytes(item[6:13], "little"), name)[:_NAME_BYTES]:
            yield "t", f"has another name of user {user_id} than u"
