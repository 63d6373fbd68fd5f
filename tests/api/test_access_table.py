"""Who gets what: every combination of kind of token, role, project, user and resource is a row of one table.

The three tables below are the truth. A new resource is one line of RESOURCES.
"""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from typing import Any, Literal

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from keystoneauth1.session import Session

from tests.api.keystone_world import PASSWORD, World, asking, make_world
from tests.api.streams import Listener
from tests.api.support import PROJECT, SECRET, Api, served, token
from tests.api.test_jwks import POLICY, issuing
from tests.api.test_tokens import encoded, signed
from tests.keystone import Keystone
from tests.unit.test_jwks_document import EC_KEY, RSA_KEY

Way = Literal["HS256", "JWKS", "Keystone"]
"""How an API checks tokens: there is one of each."""
Outcome = Literal["known", "unknown", "of no project"]
"""What a token is to the API: it names a caller of a project, names nobody, or names a caller of something else."""


@dataclass(frozen=True)
class Resource:
    """A path, who may have it, and whether its answer tells of the users of a project to those who may see them."""

    path: str
    is_for: Literal["callers of the project", "callers of any project", "all", "nobody"] = "callers of the project"
    has_users: bool = False


RESOURCES = [
    Resource("/v2.0/{project}/gene/statistics", has_users=True),
    Resource("/v2.0/{project}/gene/statistics?start=0&end=1", has_users=True),
    Resource("/v2.0/{project}/gene/statistics/timeseries?start=0&end=1"),
    Resource("/v2.0/{project}/gene/statistics/stream", has_users=True),
    Resource("/console/caller", "callers of any project"),
    Resource("/healthz", "all"),
    Resource("/readyz", "all"),
    Resource("/metrics", "all"),
    Resource("/openapi.json", "all"),
    Resource("/docs", "all"),
    Resource("/docs/style.css", "all"),
    Resource("/schemas/job-event.json", "all"),
    Resource("/asyncapi.json", "all"),
    Resource("/console", "all"),
    Resource("/console/boot.js", "all"),
    Resource("/", "nobody"),
    Resource("/v2.0/{project}/gene", "nobody"),
    Resource("/v2.0/a:b/gene/statistics", "nobody"),
]

SEES_ALL_USERS = {"admin": True, "te_admin": True, "member": False, "none": False}
"""By role. In Keystone nobody has a token of a project without a role there: `none` has one that means nothing here."""
_ROLE_IN_KEYSTONE = {**dict(zip(SEES_ALL_USERS, SEES_ALL_USERS, strict=True)), "none": "reader"}

# way, kind of token: what it is
KINDS: dict[tuple[Way, str], Outcome] = {
    ("HS256", "good"): "known",
    ("HS256", "expired"): "unknown",
    ("HS256", "not valid yet"): "unknown",
    ("HS256", "by another secret"): "unknown",
    ("HS256", "claims changed"): "unknown",
    ("HS256", "not signed"): "unknown",
    ("HS256", "of another type"): "unknown",
    ("HS256", "RS256"): "unknown",
    ("HS256", "of Keystone"): "unknown",
    ("HS256", "none"): "unknown",
    ("HS256", "empty"): "unknown",
    ("HS256", "two"): "unknown",
    ("JWKS", "RS256"): "known",
    ("JWKS", "ES256"): "known",
    ("JWKS", "RS256, expired"): "unknown",
    ("JWKS", "ES256, expired"): "unknown",
    ("JWKS", "by another key"): "unknown",
    ("JWKS", "by a key of the other kind"): "unknown",
    ("JWKS", "HS256"): "unknown",
    ("JWKS", "none"): "unknown",
    ("JWKS", "two"): "unknown",
    ("Keystone", "of a project"): "known",
    ("Keystone", "of an application credential"): "known",
    ("Keystone", "of an application credential with access rules"): "unknown",
    ("Keystone", "of a domain"): "of no project",
    ("Keystone", "of the system"): "of no project",
    ("Keystone", "unscoped"): "of no project",
    ("Keystone", "expired"): "unknown",
    ("Keystone", "revoked"): "unknown",
    ("Keystone", "of a disabled user"): "unknown",
    ("Keystone", "made up"): "unknown",
    ("Keystone", "JWT"): "unknown",
    ("Keystone", "none"): "unknown",
    ("Keystone", "two"): "unknown",
}


def expected(outcome: Outcome, is_own: bool, resource: Resource, sees_all: bool) -> tuple[int, str | None, bool]:
    """Status, error code, and whether users are in the body."""
    if resource.is_for in {"all", "nobody"}:
        return (200, None, False) if resource.is_for == "all" else (404, "DLI.0023", False)
    if outcome == "unknown":
        return 401, "DLI.0013", False
    if outcome == "of no project" or not (is_own or resource.is_for == "callers of any project"):
        return 403, "DLI.0016", False
    return 200, None, resource.has_users and sees_all


Mint = Callable[[str, str], list[str]]
"""Makes the values of X-Auth-Token for a role and a project."""


async def body_of(response: aiohttp.ClientResponse) -> Any:
    """The JSON of an answer, that of the first event of a stream; nothing for other answers."""
    if response.content_type == "text/event-stream":
        event = await Listener(response).next()
        assert event is not None
        return event.data["statistics"]
    return await response.json() if response.content_type == "application/json" else {}


@dataclass
class Table:
    """The served APIs, the project that is asked for and another, by way; and who makes each kind of token."""

    apis: dict[Way, Api] = field(default_factory=dict)
    projects: dict[Way, dict[str, str]] = field(default_factory=dict)
    minted: dict[tuple[Way, str], Mint] = field(default_factory=dict)

    async def mismatches(self, way: Way, kind: str) -> list[str]:
        """The rows of one kind of token that are not as the tables say."""
        api, found = self.apis[way], []
        for role, project, resource in itertools.product(SEES_ALL_USERS, self.projects[way], RESOURCES):
            tokens = self.minted[way, kind](role, self.projects[way][project])
            path = resource.path.format(project=self.projects[way]["own"])
            async with api.client.get(path, headers=[("X-Auth-Token", each) for each in tokens]) as response:
                body = await body_of(response)
            got = response.status, body.get("error_code"), "users" in body
            sees_all = SEES_ALL_USERS[role]
            if got != (wanted := expected(KINDS[way, kind], project == "own", resource, sees_all)):
                found.append(f"{role}, project {project}, {resource.path}: {got}, not {wanted}")
            if wanted[0] == 200 and resource.is_for == "callers of the project":
                asked = api.store.asked[-1]
                if asked[0] != self.projects[way]["own"] or (asked[3] is None) is not sees_all:
                    found.append(f"{role}, {resource.path}: the store was asked {asked}")
        return found


def hs256(role: str, project: str, **claims: Any) -> str:
    """A good token but for these claims."""
    return token(project_id=project, sub=role, roles=[] if role == "none" else [role], **claims)


def by_key(key: Any, algorithm: str, key_id: str, role: str, project: str, **claims: Any) -> str:
    """A token signed by a key of the issuer's, or said to be."""
    roles = [] if role == "none" else [role]
    return token(key, algorithm, {"kid": key_id}, project_id=project, sub=role, roles=roles, **claims)


def with_other_claims(good: str) -> str:
    """The token with the claims of an administrator."""
    header, _, signature = good.split(".")
    return f"{header}.{encoded({'sub': 'u', 'project_id': PROJECT, 'roles': ['admin'], 'exp': 4e9})}.{signature}"


def mint_jwts() -> dict[tuple[Way, str], Mint]:
    """The kinds of JWTs."""
    past, future = int(time.time()) - 1, int(time.time()) + 3600
    other_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    claims = {"sub": "u", "roles": ["admin"], "exp": future}
    return {
        ("HS256", "good"): lambda role, project: [hs256(role, project)],
        ("HS256", "expired"): lambda role, project: [hs256(role, project, exp=past)],
        ("HS256", "not valid yet"): lambda role, project: [hs256(role, project, nbf=future)],
        ("HS256", "by another secret"): lambda role, project: [
            signed({"alg": "HS256"}, {**claims, "project_id": project}, SECRET[::-1])
        ],
        ("HS256", "claims changed"): lambda role, project: [with_other_claims(hs256(role, project))],
        ("HS256", "not signed"): lambda role, project: [
            f"{encoded({'alg': 'none'})}.{encoded({**claims, 'project_id': project})}."
        ],
        ("HS256", "of another type"): lambda role, project: [
            signed({"alg": "HS256", "typ": "logout+jwt"}, {**claims, "project_id": project})
        ],
        ("HS256", "RS256"): lambda role, project: [by_key(RSA_KEY, "RS256", "r", role, project)],
        ("HS256", "of Keystone"): lambda role, project: ["gAAAAABm" + "A" * 170],
        ("HS256", "none"): lambda role, project: [],
        ("HS256", "empty"): lambda role, project: [""],
        ("HS256", "two"): lambda role, project: [hs256(role, project)] * 2,
        ("JWKS", "RS256"): lambda role, project: [by_key(RSA_KEY, "RS256", "r", role, project)],
        ("JWKS", "ES256"): lambda role, project: [by_key(EC_KEY, "ES256", "e", role, project)],
        ("JWKS", "RS256, expired"): lambda role, project: [by_key(RSA_KEY, "RS256", "r", role, project, exp=past)],
        ("JWKS", "ES256, expired"): lambda role, project: [by_key(EC_KEY, "ES256", "e", role, project, exp=past)],
        ("JWKS", "by another key"): lambda role, project: [by_key(other_key, "RS256", "r", role, project)],
        ("JWKS", "by a key of the other kind"): lambda role, project: [by_key(EC_KEY, "ES256", "r", role, project)],
        ("JWKS", "HS256"): lambda role, project: [hs256(role, project)],
        ("JWKS", "none"): lambda role, project: [],
        ("JWKS", "two"): lambda role, project: [by_key(RSA_KEY, "RS256", "r", role, project)] * 2,
    }


class People:
    """People in Keystone, one for each role: they have it in both projects, in the domain and in the system."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._keystone = world.keystone
        self._roles = world.keystone.roles()
        self._names = {world.project: world.name("project"), world.other: world.name("other")}
        self._ends = datetime.now(UTC)
        for role in SEES_ALL_USERS:
            user = self._create(f"with role {role}", role)
            for scope in ("domains/default", "system"):
                self._keystone.ask("PUT", f"{scope}/users/{user}/roles/{self._roles[_ROLE_IN_KEYSTONE[role]]}")

    def _create(self, name: str, role: str) -> str:
        roles = {project: [self._roles[_ROLE_IN_KEYSTONE[role]]] for project in self._names}
        return self._keystone.create_user(self._world.name(name), PASSWORD, roles)

    @cache  # noqa: B019 - lives as long as the table
    def _session(self, role: str, project: str) -> Session:
        name = self._world.name(f"with role {role}")
        return self._keystone.session(name, PASSWORD, project_name=self._names[project])

    def scoped(self, role: str, project: str) -> str:
        """A token of the project."""
        return str(self._session(role, project).get_token())

    def application(self, role: str, project: str, **fields: Any) -> str:
        """A token of an application credential of the project."""
        return self._keystone.application_token(self._session(role, project), **fields)

    def expiring(self, role: str, project: str) -> str:
        """A token that has a few seconds to live."""
        self._session(role, project).get_token()
        self._ends = datetime.now(UTC) + timedelta(seconds=6)
        return self.application(role, project, expires_at=self._ends.replace(tzinfo=None).isoformat())

    def revoked(self, role: str, project: str) -> str:
        """A token that is revoked."""
        revoked = self._world.token(f"with role {role}", project_name=self._names[project])
        self._keystone.revoke(revoked)
        return revoked

    @cache  # noqa: B019
    def _disabled(self, role: str) -> dict[str, str]:
        user = self._create(f"disabled {role}", role)
        tokens = {
            project: self._world.token(f"disabled {role}", project_name=name) for project, name in self._names.items()
        }
        self._keystone.ask("PATCH", f"users/{user}", {"user": {"enabled": False}})
        return tokens

    def mint(self) -> dict[tuple[Way, str], Mint]:
        """The kinds of Keystone's tokens, all of them made; those that expire have expired."""
        rules = [{"path": "/v2.0/*/gene/statistics", "method": "GET", "service": "statistics"}]
        makers: dict[str, Callable[[str, str], str]] = {
            "expired": self.expiring,
            "of a project": self.scoped,
            "of an application credential": self.application,
            "of an application credential with access rules": partial(self.application, access_rules=rules),
            "of a domain": lambda role, project: self._world.token(f"with role {role}", domain_id="default"),
            "of the system": lambda role, project: self._world.token(f"with role {role}", system_scope="all"),
            "unscoped": lambda role, project: self._world.token(f"with role {role}", unscoped=True),
            "revoked": self.revoked,
            "of a disabled user": lambda role, project: self._disabled(role)[project],
            "made up": lambda role, project: "gAAAAABm" + "A" * 170,
            "JWT": hs256,
        }
        made = {
            (kind, role, project): make(role, project)
            for kind, make in makers.items()
            for role in SEES_ALL_USERS
            for project in self._names
        }
        time.sleep(max(0.0, (self._ends - datetime.now(UTC)).total_seconds()))
        kinds: dict[tuple[Way, str], Mint] = {
            ("Keystone", kind): lambda role, project, kind=kind: [made[kind, role, project]]  # type: ignore[misc]
            for kind in makers
        }
        kinds["Keystone", "none"] = lambda role, project: []
        kinds["Keystone", "two"] = lambda role, project: [made["of a project", role, project]] * 2
        return kinds


@pytest.fixture(scope="module")
async def table(keystone: Keystone) -> AsyncIterator[Table]:
    """The APIs of all ways, and tokens of all kinds."""
    table = Table()
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        issuer = await enter(issuing(POLICY))
        world = await asyncio.to_thread(make_world, keystone)
        people = await asyncio.to_thread(People, world)
        table.apis["HS256"] = await enter(served())
        table.apis["JWKS"] = await enter(served(authenticator=issuer.authenticator))
        table.apis["Keystone"] = (await enter(asking(world))).api
        table.projects = {way: {"own": PROJECT, "other": "another"} for way in table.apis}
        table.projects["Keystone"] = {"own": world.project, "other": world.other}
        table.minted = {**mint_jwts(), **await asyncio.to_thread(people.mint)}
        yield table


@pytest.mark.parametrize(("way", "kind"), KINDS, ids=lambda text: text)
async def test_every_combination_is_as_the_table_says(table: Table, way: Way, kind: str) -> None:
    """Of one kind of token: all roles, projects and resources."""
    assert await table.mismatches(way, kind) == []


async def test_no_resource_is_left_out(table: Table) -> None:
    """Each resource that the API describes is in the table."""
    async with table.apis["HS256"].client.get("/openapi.json") as response:
        described = {path.replace("{project_id}", "{project}") for path in (await response.json())["paths"]}
    assert described <= {resource.path.partition("?")[0] for resource in RESOURCES}
