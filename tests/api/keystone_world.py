"""What the tests of Keystone share: projects and people in it, and the API whose callers they are."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from service.auth.keystone import KeystoneAuthenticator, KeystonePolicy
from service.auth.keystone_answers import Credentials
from service.auth.keystone_client import KeystoneClient
from tests.api.support import ADMIN_ROLES, Api, Clock, served
from tests.keystone import DOMAIN, Keystone

PASSWORD = "a password of tests"
CACHE_SECONDS = 60


@dataclass(frozen=True)
class World:
    """A project with an administrator and a member, one more project, and the user that this service is."""

    keystone: Keystone
    project: str
    other: str
    administrator: str
    member: str
    service: str

    def name(self, who: str) -> str:
        """The name in Keystone of one of them."""
        return f"{who} of {self.project}"

    def token(self, who: str, **scope: Any) -> str:
        """A token of a user, in the project unless another scope is given."""
        return self.keystone.token(self.name(who), PASSWORD, **(scope or {"project_name": self.name("project")}))


def make_world(keystone: Keystone) -> World:
    """Users and projects of one test."""
    roles = keystone.roles()
    mine, other = (keystone.create("project", name=str(uuid.uuid4()), domain_id="default") for _ in range(2))
    world = World(keystone, mine, other, "", "", "")
    keystone.ask("PATCH", f"projects/{mine}", {"project": {"name": world.name("project")}})
    keystone.ask("PATCH", f"projects/{other}", {"project": {"name": world.name("other")}})
    administrator = keystone.create_user(
        world.name("administrator"), PASSWORD, {mine: [roles["te_admin"], roles["member"]], other: [roles["member"]]}
    )
    member = keystone.create_user(world.name("member"), PASSWORD, {mine: [roles["member"]]})
    service = keystone.create_user(world.name("service"), PASSWORD, {mine: [roles["service"]]})
    return World(keystone, mine, other, administrator, member, service)


@dataclass
class Asked:
    """The API over a Keystone, its clocks, and what it has asked of that Keystone."""

    api: Api
    world: World
    clock: Clock
    unix_clock: Clock
    authenticator: KeystoneAuthenticator
    requests: list[str] = field(default_factory=list)

    async def get(self, token: str | None, project: str | None = None) -> tuple[int, Any]:
        """Status and body of the statistics of a project."""
        headers = {} if token is None else {"X-Auth-Token": token}
        path = f"/v2.0/{project or self.world.project}/gene/statistics"
        async with self.api.client.get(path, headers=headers) as response:
            return response.status, await response.json()

    def seen(self) -> tuple[object, ...]:
        """What the store was asked last: project, bounds, user."""
        return self.api.store.asked[-1]

    async def status(self, token: str | None, project: str | None = None) -> tuple[int, str]:
        """Status and error code of the statistics of a project."""
        status, body = await self.get(token, project)
        return status, body.get("error_code", "")


@asynccontextmanager
async def asking(world: World, patience_seconds: float = 60, password: str = PASSWORD) -> AsyncIterator[Asked]:
    """The API, whose authenticator has clocks that are moved by hand."""
    clock, unix_clock, requests = Clock(), Clock(), list[str]()
    unix_clock.now_seconds = 0.0

    async def count(_: Any, __: Any, params: aiohttp.TraceRequestStartParams) -> None:
        requests.append(params.method)

    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(count)
    credentials = Credentials(world.name("service"), password, world.name("project"), DOMAIN)
    async with aiohttp.ClientSession(trace_configs=[trace]) as session:
        client = KeystoneClient(world.keystone.url, credentials, session, clock, unix_clock)
        policy = KeystonePolicy(CACHE_SECONDS, patience_seconds=patience_seconds)
        authenticator = KeystoneAuthenticator(client, ADMIN_ROLES, policy, clock, unix_clock)
        async with served(authenticator=authenticator) as api:
            yield Asked(api, world, clock, unix_clock, authenticator, requests)
        await authenticator.close()
