"""Identity services behind TLS with a CA that nobody but us knows: Keystone by its setting, a JWKS by the system's."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from service.auth.caller import Authenticator, IdentityUnavailableError
from service.auth.factory import create_authenticator
from service.runtime.settings import ServiceSettings
from service.runtime.tasks import cancel
from tests.api.keystone_world import PASSWORD, World
from tests.api.support import PROJECT
from tests.api.test_jwks import POLICY, by_rsa, issuing
from tests.certificates import Authority
from tests.keystone import DOMAIN


@asynccontextmanager
async def behind_tls(authority: Authority, name: str, port: int) -> AsyncIterator[int]:
    """A port that speaks TLS as this name, and passes on what it hears to another port of this machine."""
    pair = authority.issue(name)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.certfile, pair.keyfile)
    tasks: set[asyncio.Task[None]] = set()

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        tasks.add(asyncio.create_task(copy(reader, inner_writer)))
        tasks.add(asyncio.create_task(copy(inner_reader, writer)))

    server = await asyncio.start_server(forward, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await cancel(tasks)


@asynccontextmanager
async def keystone_of(world: World, port: int, cafile: Path | None) -> AsyncIterator[Authenticator]:
    """An authenticator of the Keystone behind that port."""
    settings = {
        "auth": "keystone",
        "keystone_url": f"https://127.0.0.1:{port}/v3",
        "keystone_username": world.name("service"),
        "keystone_password": PASSWORD,
        "keystone_project": world.name("project"),
        "keystone_domain": DOMAIN,
        "keystone_cafile": cafile and str(cafile),
    }
    loaded = await asyncio.to_thread(ServiceSettings.model_validate, settings)  # it looks whether the file is there
    async with create_authenticator(loaded) as authenticator:
        yield authenticator


async def test_keystone_behind_tls(world: World, tmp_path: Path) -> None:
    """Tokens are checked where the setting names the CA; else, or as another host, nobody is told our password."""
    ours, others = Authority(tmp_path / "ours"), Authority(tmp_path / "others")
    async with behind_tls(ours, "127.0.0.1", world.keystone.port) as port:
        async with keystone_of(world, port, ours.cafile) as authenticator:
            caller = await authenticator.authenticate(world.token("member"))
            assert (caller.project_id, caller.user_id) == (world.project, world.member)
        for cafile in (None, others.cafile):
            async with keystone_of(world, port, cafile) as authenticator:
                with pytest.raises(IdentityUnavailableError, match="CertificateError"):
                    await authenticator.ping()
    async with (
        behind_tls(ours, "keystone.example", world.keystone.port) as port,
        keystone_of(world, port, ours.cafile) as authenticator,
    ):
        with pytest.raises(IdentityUnavailableError, match="CertificateError"):
            await authenticator.ping()


async def test_jwks_behind_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its CA is one of the system's, or in the file that SSL_CERT_FILE names, as for every program with OpenSSL."""
    authority = Authority(tmp_path)
    settings: dict[str, Any] = {"auth": "jwt", "admin_roles": "admin"}
    async with issuing(POLICY) as issuer, behind_tls(authority, "127.0.0.1", issuer.port) as port:
        settings["jwt_jwks_url"] = f"https://127.0.0.1:{port}/jwks"
        async with create_authenticator(ServiceSettings(**settings)) as authenticator:
            with pytest.raises(IdentityUnavailableError, match="CertificateError"):
                await authenticator.authenticate(by_rsa())
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.cafile))
        async with create_authenticator(ServiceSettings(**settings)) as authenticator:
            assert (await authenticator.authenticate(by_rsa())).project_id == PROJECT
