"""Scripts that are called one at a time; a batch's own script is sent by service.store.writer."""

from collections.abc import Sequence
from hashlib import sha1
from importlib import resources
from typing import Any

from redis.asyncio import Redis, RedisCluster
from redis.exceptions import NoScriptError


class Script:
    """One script, from files below `service/store/` joined in the order given."""

    def __init__(self, *paths: str) -> None:
        folder = resources.files("service.store")
        self._text = "\n".join(folder.joinpath(path).read_text() for path in paths)
        self._sha = sha1(self._text.encode(), usedforsecurity=False).hexdigest()

    async def run(
        self, client: Redis | RedisCluster, keys: Sequence[str | bytes], *arguments: str | bytes | int
    ) -> Any:
        """The script's reply; all keys have one hash tag, or Redis stands alone. Raises REDIS_ERRORS."""
        try:
            return await client.execute_command("EVALSHA", self._sha, len(keys), *keys, *arguments)
        except NoScriptError:  # Redis has not seen it since it started; EVAL makes it known
            return await client.execute_command("EVAL", self._text, len(keys), *keys, *arguments)
