"""Who asks, and what every way to find out promises."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Caller:
    """The user behind a token, in the one project that the token is for; None for a token of a domain or the system."""

    project_id: str | None
    user_id: str
    is_administrator: bool


class InvalidTokenError(Exception):
    """The token is expired, revoked, forged, or no token at all. Its text never holds a part of the token."""


class IdentityUnavailableError(Exception):
    """What tokens are checked against cannot be reached, or does not answer in time."""


class Authenticator(Protocol):
    """Tells who a token belongs to."""

    async def authenticate(self, token: str) -> Caller:
        """The caller; raises InvalidTokenError or IdentityUnavailableError."""
        ...

    async def ping(self) -> None:
        """Raises IdentityUnavailableError unless tokens can be checked now."""
        ...
