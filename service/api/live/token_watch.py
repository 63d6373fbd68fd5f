"""Watches whether the token of a stream is still good: a stream may last longer than it."""

from collections.abc import Callable
from math import inf

from service.api.live.frames import Reason
from service.auth.caller import Authenticator, Caller, IdentityUnavailableError, InvalidTokenError
from service.runtime.tasks import SharedTask


class TokenWatch:
    """Says when a token ends, and checks from time to time whether it names the same caller as at first.

    While nobody can check it the last word holds. An authenticator remembers its answers, so many checks cost little.
    """

    def __init__(
        self, token: str, caller: Caller, authenticator: Authenticator, unix_time_seconds: Callable[[], float]
    ) -> None:
        self._token = token
        self._caller = caller
        self._authenticator = authenticator
        self._unix_time_seconds = unix_time_seconds
        self._checking = SharedTask(self._check)
        self._is_revoked = False

    @property
    def verdict(self) -> Reason | None:
        """Returns why the stream must end, None while the token is good."""
        if self.left_seconds <= 0:
            return "expired"
        return "revoked" if self._is_revoked else None

    @property
    def left_seconds(self) -> float:
        """Returns for how long the token is good, unless it is revoked."""
        expires_at_seconds = self._caller.expires_at_seconds
        return inf if expires_at_seconds is None else expires_at_seconds - self._unix_time_seconds()

    def begin_check(self, wake: Callable[[], None]) -> None:
        """Begins a check, and calls `wake` when it has ended, unless one is under way."""
        if not self._checking.is_running:
            self._checking.begin().add_done_callback(lambda _: wake())

    async def close(self) -> None:
        """Cancels the check that is under way, if any."""
        await self._checking.close()

    async def _check(self) -> None:
        try:
            caller = await self._authenticator.authenticate(self._token)
        except InvalidTokenError:
            self._is_revoked = True
        except IdentityUnavailableError:
            pass
        else:
            self._is_revoked = _rights(caller) != _rights(self._caller)


def _rights(caller: Caller) -> tuple[str | None, str, bool]:
    return caller.project_id, caller.user_id, caller.is_administrator
