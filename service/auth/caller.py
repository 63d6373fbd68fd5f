"""The caller behind a token, and the interface that every authenticator has."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Caller:
    """The user that a token names, and its project: None where the token is of a domain or the system.

    `name` is the user's, None if the token has none. The token ends at `expires_at_seconds` (Unix time), None if that
    is not known. Two tokens of one user may differ in both.
    """

    project_id: str | None
    user_id: str
    is_administrator: bool
    name: str | None = None
    expires_at_seconds: float | None = None


class InvalidTokenError(Exception):
    """The token is expired, revoked, forged, or no token at all. The error's text never holds a part of the token."""


class IdentityUnavailableError(Exception):
    """The service that tokens are checked against cannot be reached, or does not answer in time.

    `retry_after_seconds` is the wait after which another attempt may end otherwise.
    """

    def __init__(self, reason: str, retry_after_seconds: float = 1.0) -> None:
        super().__init__(reason)
        self.retry_after_seconds = retry_after_seconds


class Authenticator(Protocol):
    """An authenticator tells which caller a token names."""

    async def authenticate(self, token: str) -> Caller:
        """Returns the caller that the token names; raises InvalidTokenError or IdentityUnavailableError."""
        ...

    def known(self, token: str) -> Caller | None:
        """Returns what `authenticate` would, if it need not wait to find that the token is good; None: it may be."""
        ...

    def note_known(self) -> None:
        """Counts a request whose caller was `known`."""
        ...

    def knows(self, token: str) -> bool:
        """Returns whether the token has been found good, and `authenticate` needs no check of it or hardly any."""
        ...

    async def ping(self) -> None:
        """Raises IdentityUnavailableError unless tokens can be checked now."""
        ...
