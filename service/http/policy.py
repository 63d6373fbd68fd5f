"""How the API presents itself to the outside: the same for every answer."""

from dataclasses import dataclass

from yarl import URL

from service.runtime.settings import ServiceSettings

_TOKEN_CHALLENGE = 'X-Auth-Token realm="gene-job-statistics"'  # noqa: S105 - no password


@dataclass(frozen=True, slots=True)
class HttpPolicy:
    """Says what a proxy, a browser and a caller without a token are told.

    `prefix` is a path under which everything is served as well, for a proxy that leaves it in the path. `cors_origins`
    are those whose pages may read answers: none, some, or `*`. `challenge` is the `WWW-Authenticate` of 401.
    """

    prefix: str = ""
    cors_origins: frozenset[str] = frozenset()
    challenge: str = _TOKEN_CHALLENGE


DEFAULT_POLICY = HttpPolicy()


def create_policy(settings: ServiceSettings) -> HttpPolicy:
    """Returns the policy that the settings ask for. The program calls it at its start.

    Where Keystone knows the tokens, 401 names its address as services of OpenStack do: a caller needs it for a token.
    """
    challenge = _TOKEN_CHALLENGE
    if settings.auth == "keystone":
        challenge = (
            f'Keystone uri="{URL(str(settings.keystone_url)).with_user(None).with_query(None).with_fragment(None)}"'
        )
    return HttpPolicy(settings.http_prefix or "", settings.http_cors_origins or frozenset(), challenge)
