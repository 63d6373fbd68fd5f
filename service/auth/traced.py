"""Makes a span of each check of a token. The API has it only if there is a tracer."""

from dataclasses import dataclass

from opentelemetry.trace import Tracer

from service.auth.caller import Authenticator, Caller
from service.runtime.tracing import span_of


@dataclass(frozen=True, slots=True)
class TracedAuthenticator:
    """An Authenticator that asks another one. Nothing of the token or the caller is in a span."""

    authenticator: Authenticator
    tracer: Tracer

    async def authenticate(self, token: str) -> Caller:
        """See Authenticator.authenticate."""
        with span_of(self.tracer, "auth"):
            return await self.authenticator.authenticate(token)

    def known(self, token: str) -> None:
        """Says nothing, so that `authenticate` is asked, and makes a span."""

    def note_known(self) -> None:
        """See Authenticator.note_known."""

    def knows(self, token: str) -> bool:
        """See Authenticator.knows."""
        return self.authenticator.knows(token)

    async def ping(self) -> None:
        """See Authenticator.ping."""
        await self.authenticator.ping()
