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
from service.auth.metrics import IdentityMetrics
from service.runtime.settings import ServiceSettings, SettingsError

_log = logging.getLogger(__name__)
_CONNECTIONS = 32


@asynccontextmanager
async def create_authenticator(
    settings: ServiceSettings, metrics: IdentityMetrics | None = None
) -> AsyncIterator[Authenticator]:
    """Yields an authenticator, and closes its connections at the end. The program enters it at its start.

    Raises SettingsError if the settings do not make an authenticator.
    """
    metrics = metrics or IdentityMetrics()
    if settings.auth == "keystone":
        async with _keystone(settings, metrics) as authenticator:
            yield authenticator
        return
    policy = ClaimsPolicy(settings.admin_roles, settings.jwt_audience, settings.jwt_issuer)
    if settings.jwt_secret is not None:
        yield JwtAuthenticator(_secret_key(settings.jwt_secret.get_secret_value()), policy, metrics=metrics)
        return
    assert settings.jwt_jwks_url is not None  # noqa: S101 - ServiceSettings checks it
    async with _session(None) as session:
        metrics.expect("keys")
        keys = JwksKeys(settings.jwt_jwks_url, session, metrics=metrics)
        try:
            yield JwtAuthenticator(keys, policy, metrics=metrics)
        finally:
            await keys.close()


@asynccontextmanager
async def _keystone(settings: ServiceSettings, metrics: IdentityMetrics) -> AsyncIterator[Authenticator]:
    """Yields an authenticator that asks Keystone. It is made also while Keystone cannot be asked.

    Raises SettingsError if Keystone refuses the name and password of this service.
    """
    policy = KeystonePolicy(settings.keystone_cache_seconds)
    metrics.expect("validate", "login")
    async with _session(settings.keystone_cafile) as session:
        client = KeystoneClient(str(settings.keystone_url), _credentials(settings), session, metrics=metrics)
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


def _session(cafile: str | None) -> aiohttp.ClientSession:
    """Returns a session that trusts the CAs of a file, or of the system: those of SSL_CERT_FILE where that is set."""
    connector = aiohttp.TCPConnector(limit=_CONNECTIONS, ssl=ssl.create_default_context(cafile=cafile))
    return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())


def _secret_key(secret: str) -> SecretKey:
    try:
        return SecretKey(secret)
    except InvalidKeyError:
        raise SettingsError(["STATS_JWT_SECRET: a public key or certificate; allowed: a secret"]) from None
