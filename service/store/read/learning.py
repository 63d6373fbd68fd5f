"""Reads what a reader needs beside the nodes of a cover: shapes, names, and whether a missing project was there."""

from collections.abc import Callable
from typing import Any

from redis.asyncio import Redis, RedisCluster
from redis.exceptions import NoPermissionError, ResponseError

from service.runtime.tasks import side_by_side
from service.store.layout.keys import head_key, project_prefix, stripe_of
from service.store.layout.projects import parse_meta, parse_shape, parse_user
from service.store.layout.tree import TOP_LEVEL, Shape
from service.store.read.bounded import Bounded
from service.store.read.known import Known, KnownShape
from service.store.read.names import Names, Namings
from service.store.read.node_checks import check_shape, parsed
from service.store.redis.views import DamagedError, is_foreign

_NAMES_PER_CALL = 1_000
ID_BYTES = 380  # that a user takes who was found under its key
_TOPMOST_NODES = 1 << 53 - TOP_LEVEL


class Learning:
    """Reads shapes and names from Redis.

    Its methods raise what the client raises, and DamagedError for keys that are not as a writer leaves them.
    """

    def __init__(self, client: Redis | RedisCluster, key_of_user: Callable[[str], bytes], max_id_bytes: int) -> None:
        self._client: Any = client
        self._key_of_user = key_of_user
        # the names id at which a project's user was found under its key
        self._ids: Bounded[tuple[str, str], bytes] = Bounded(max_id_bytes)

    async def shape(self, project_id: str, generation: int) -> KnownShape:
        """Returns a project's shape and shape id, both of one instant; an empty shape if there is no project."""
        prefix = project_prefix(project_id, generation)
        keys = [f"{prefix}m", f"{prefix}s"]
        meta, shape = view = await self._client.mget(keys)
        if meta is None:
            return KnownShape(b"", Shape())
        entries = parsed(keys[1], parse_shape, shape or b"")
        check_shape(keys[1], entries)
        # a project whose jobs are all deleted may have no nodes; where there are nodes, topmost ones are listed
        if not entries and any(await self._client.mget([f"{prefix}n:{TOP_LEVEL}:{n}" for n in range(_TOPMOST_NODES)])):
            if view == await self._client.mget(keys):
                raise DamagedError(keys[1], "is not there, though its nodes are")
            return KnownShape(b"", Shape())
        return KnownShape(parsed(keys[0], parse_meta, meta).shape_id, Shape.of(entries), shape or b"")

    async def remains(self, project_id: str, generation: int) -> str | None:
        """Returns the damaged key, meta or head, if it is damage that a view has no meta; None: there is no project."""
        prefix, head = project_prefix(project_id, generation), head_key(stripe_of(project_id))
        # side by side: one after the other they would be the longest wait that a question of a slow Redis has
        *are_there, users, is_head = await side_by_side(
            *(self._is_there(f"{prefix}{name}") for name in "mst"),
            self._client.hgetall(f"{prefix}u"),
            self._is_string(head),
        )
        if users or any(are_there):
            return f"{prefix}m"
        return None if is_head else head

    async def _is_string(self, key: str) -> bool:
        """Tells whether a key has a string or nothing, and no value of another type."""
        try:
            await self._client.get(key)
        except ResponseError as error:
            if is_foreign(error):
                return False
            raise
        return True

    async def _is_there(self, key: str) -> bool:
        """Tells whether a key exists, with a string or with a value of another type."""
        try:
            return await self._client.get(key) is not None
        except ResponseError as error:
            if is_foreign(error):
                return True
            raise

    async def try_rights(self, missing: str) -> None:
        """Reads a key that is not there with each command that a Learning uses beside MGET. Raises as the others."""
        await self._client.get(missing)
        await self._client.hgetall(missing)

    async def is_user(self, project_id: str, generation: int, user_id: str, names_id: bytes) -> bool | None:
        """Tells whether the user stored under a user's key has this id, and not another with the same digest.

        Returns None if no user is stored there. A True is remembered as long as the project has this names id.
        """
        asked = project_id, user_id
        if self._ids.get(asked) == names_id:
            return True
        key, field = f"{project_prefix(project_id, generation)}u", self._key_of_user(user_id)
        [value] = await self._fields(key, [field])
        if value is None:
            return None
        found, _ = parsed(key, parse_user, value)
        if self._key_of_user(found) != field:
            raise DamagedError(key, f"has user {found} under another's key")
        if found != user_id:
            return False
        self._ids.put(asked, names_id, ID_BYTES)
        return True

    async def _fields(self, key: str, fields: list[bytes]) -> list[bytes | None]:
        """Returns the values of some fields of a hash; reads the whole hash if the user of Redis may not run HMGET."""
        try:
            values: list[bytes | None] = await self._client.hmget(key, fields)
        except NoPermissionError:
            every: dict[bytes, bytes] = await self._client.hgetall(key)
            values = [every.get(field) for field in fields]
        return values

    async def names(self, project_id: str, generation: int, known: Known, namings: Namings) -> Names:
        """Fetches the names that a view has otherwise than the reader; returns all names: the view's, or newer ones."""
        async with known.limit(), known.fetching_names:  # who has waited finds the names that others have fetched
            names, key = known.names, f"{project_prefix(project_id, generation)}u"
            lacking = names.lacking(namings)
            fetched: dict[bytes, bytes | None] = {}
            for at in range(0, len(lacking), _NAMES_PER_CALL):
                fields = lacking[at : at + _NAMES_PER_CALL]
                fetched.update(zip(fields, await self._fields(key, fields), strict=True))
                known.give_time()  # else a project with a crowd of new users would never be answered
            names.update({field: value for field, value in fetched.items() if value is not None})
        return names
