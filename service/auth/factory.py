"""The authenticator that the settings ask for."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from jwt.exceptions import InvalidKeyError

from service.auth.caller import Authenticator
from service.auth.jwks import JwksKeys
from service.auth.jwt import JwtAuthenticator, SecretKey
from service.runtime.settings import ServiceSettings, SettingsError

_log = logging.getLogger(__name__)
_SHORTEST_GOOD_SECRET_BYTES = 32  # RFC 7518, 3.2: a key of the size of the hash, or larger


@asynccontextmanager
async def create_authenticator(settings: ServiceSettings) -> AsyncIterator[Authenticator]:
    """An authenticator, with what it holds open; raises SettingsError for one that can't be made."""
    if settings.auth == "keystone":
        raise SettingsError(["STATS_AUTH: keystone is not available in this version"])
    if settings.jwt_secret is not None:
        yield JwtAuthenticator(_secret_key(settings.jwt_secret.get_secret_value()), settings.admin_roles)
        return
    assert settings.jwt_jwks_url is not None  # noqa: S101 - what ServiceSettings promises
    async with aiohttp.ClientSession() as session:
        yield JwtAuthenticator(JwksKeys(settings.jwt_jwks_url, session), settings.admin_roles)


def _secret_key(secret: str) -> SecretKey:
    if len(secret.encode()) < _SHORTEST_GOOD_SECRET_BYTES:
        _log.warning("STATS_JWT_SECRET is short: 32 bytes or more are hard to guess")
    try:
        return SecretKey(secret)
    except InvalidKeyError:
        raise SettingsError(["STATS_JWT_SECRET: a public key or certificate; allowed: a secret"]) from None
