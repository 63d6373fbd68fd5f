"""Says what is sent to Keystone and what its answers mean. Pure.

The API of Keystone: https://docs.openstack.org/api-ref/identity/v3/#authentication-and-token-management
"""

from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError

from service.auth.caller import IdentityUnavailableError

_MAX_ROLES = 1_000


def _iso_8601(value: object) -> object:
    """Refuses what pydantic takes for an instant beside ISO 8601: numbers, and digits alone. Raises ValueError."""
    if not isinstance(value, str) or "T" not in value:
        raise ValueError("not ISO 8601")
    return value


Text = Annotated[str, StringConstraints(min_length=1, max_length=255)]


@dataclass(frozen=True, slots=True)
class Credentials:
    """The name, password and project of this service at Keystone; user and project are of the same domain."""

    username: str
    password: str = field(repr=False)
    project: str
    domain: str

    def request(self) -> dict[str, Any]:
        """Returns the body that asks for a token of the project."""
        domain = {"name": self.domain}
        user = {"name": self.username, "password": self.password, "domain": domain}
        scope = {"project": {"name": self.project, "domain": domain}}
        return {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}


class _Named(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)
    name: Text


class _Identified(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)
    id: Text


class _User(_Identified):
    name: str | None = None


class Described(BaseModel):
    """Keystone's description of a valid token. A token without a project is of a domain, the system, or unscoped."""

    model_config = ConfigDict(frozen=True, strict=True)

    expires_at: Annotated[AwareDatetime, BeforeValidator(_iso_8601), Field(strict=False)]
    user: _User
    project: _Identified | None = None
    roles: Annotated[tuple[_Named, ...], Field(max_length=_MAX_ROLES)] = ()

    @property
    def role_names(self) -> frozenset[str]:
        """Returns the names of the token's roles."""
        return frozenset(role.name for role in self.roles)


class _Error(BaseModel):
    model_config = ConfigDict(strict=True)
    code: int


class _ErrorAnswer(BaseModel):
    error: _Error


class _Answer(BaseModel):
    token: Described


def is_of_keystone(status: int, body: bytes) -> bool:
    """Checks whether an error is one of Keystone's own, and not that of a proxy before it."""
    try:
        return _ErrorAnswer.model_validate_json(body).error.code == status
    except ValidationError:
        return False


def parse_token(body: bytes) -> Described:
    """Returns what an answer says of a token; raises IdentityUnavailableError for an answer that says nothing."""
    try:
        return _Answer.model_validate_json(body).token
    except ValidationError as error:
        wrong = sorted({".".join(map(str, problem["loc"][:2])) for problem in error.errors(include_input=False)})
        raise IdentityUnavailableError(f"Keystone's answer describes no token: {wrong[:5]}") from None
