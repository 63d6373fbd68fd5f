"""Makes the authenticator that the settings ask for."""

import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from jwt.exceptions import InvalidKeyError

from service.auth.caller import Authenticator, IdentityUnavailableError
from service.auth.jwks import JwksKeys
from service.auth.jwt import JwtAuthenticator, SecretKey
from service.auth.jwt_claims import ClaimsPolicy
from service.auth.keystone import KeystoneAuthenticator, KeystonePolicy
from service.auth.keystone_answers import Credentials
from service.auth.keystone_client import CredentialsRefusedError, KeystoneClient
from service.runtime.settings import ServiceSettings, SettingsError

_log = logging.getLogger(__name__)
_KEYSTONE_CONNECTIONS = 32


@asynccontextmanager
async def create_authenticator(settings: ServiceSettings) -> AsyncIterator[Authenticator]:
    """Yields an authenticator, and closes its connections at the end. The program enters it at its start.

    Raises SettingsError if the settings do not make an authenticator.
    """
    if settings.auth == "keystone":
        async with _keystone(settings) as authenticator:
            yield authenticator
        return
    policy = ClaimsPolicy(settings.admin_roles, settings.jwt_audience, settings.jwt_issuer)
    if settings.jwt_secret is not None:
        yield JwtAuthenticator(_secret_key(settings.jwt_secret.get_secret_value()), policy)
        return
    assert settings.jwt_jwks_url is not None  # noqa: S101 - ServiceSettings checks it
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        keys = JwksKeys(settings.jwt_jwks_url, session)
        try:
            yield JwtAuthenticator(keys, policy)
        finally:
            await keys.close()


@asynccontextmanager
async def _keystone(settings: ServiceSettings) -> AsyncIterator[Authenticator]:
    """Yields an authenticator that asks Keystone. It is made also while Keystone cannot be asked.

    Raises SettingsError if Keystone refuses the name and password of this service.
    """
    policy = KeystonePolicy(settings.keystone_cache_seconds)
    connector = aiohttp.TCPConnector(limit=_KEYSTONE_CONNECTIONS, ssl=_trusting(settings.keystone_cafile))
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
        client = KeystoneClient(str(settings.keystone_url), _credentials(settings), session)
        authenticator = KeystoneAuthenticator(client, settings.admin_roles, policy)
        try:
            await authenticator.ping()
        except CredentialsRefusedError as error:
            raise SettingsError([str(error)]) from error
        except IdentityUnavailableError as error:
            _log.error("Keystone is away, requests get 503 until it answers", extra={"reason": str(error)})
        try:
            yield authenticator
        finally:
            await authenticator.close()


def _credentials(settings: ServiceSettings) -> Credentials:
    username, password = settings.keystone_username, settings.keystone_password
    project, domain = settings.keystone_project, settings.keystone_domain
    assert username and password and project and domain  # noqa: S101, PT018 - ServiceSettings checks it
    return Credentials(username, password.get_secret_value(), project, domain)


def _trusting(cafile: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=cafile)
    except (ssl.SSLError, OSError):
        raise SettingsError(["STATS_KEYSTONE_CAFILE: no certificates in it; allowed: a PEM file"]) from None


def _secret_key(secret: str) -> SecretKey:
    try:
        return SecretKey(secret)
    except InvalidKeyError:
        raise SettingsError(["STATS_JWT_SECRET: a public key or certificate; allowed: a secret"]) from None
