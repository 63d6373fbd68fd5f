"""Says which headers and claims of a JWT are good (RFC 7515, 7519, 8725). Pure: the signature is checked elsewhere."""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, FiniteFloat, StringConstraints, ValidationError

from service.auth.caller import Caller, InvalidTokenError

Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
_TYPES = frozenset({"jwt", "at+jwt"})  # of others, such as `logout+jwt`, the issuer says that they give no access


@dataclass(frozen=True, slots=True)
class ClaimsPolicy:
    """Says what claims must be: who is an administrator, and for whom and by whom tokens are made; None: by anybody."""

    admin_roles: frozenset[str]
    audience: str | None = None
    issuer: str | None = None


@dataclass(frozen=True, slots=True)
class Header:
    """What the header of a token says of its signature."""

    algorithm: str
    key_id: str | None


@dataclass(frozen=True, slots=True)
class Claims:
    """The caller that a token names, and between which instants (Unix seconds)."""

    caller: Caller
    not_before: float
    expires_at: float


class _Header(BaseModel):
    model_config = ConfigDict(strict=True)

    alg: str
    kid: str | None = None
    typ: str = "JWT"


class _Claims(BaseModel):
    """The claims that a token must have, each of exactly its type. Other claims are ignored."""

    model_config = ConfigDict(strict=True)

    sub: Identifier
    project_id: Identifier
    roles: list[str]
    exp: FiniteFloat
    nbf: FiniteFloat = 0.0
    name: Any = None  # a token without a name, or with one that is no text, is as good
    aud: Any = None  # judged only where the policy names one
    iss: Any = None


def read_header(header: dict[str, Any], algorithms: frozenset[str]) -> Header:
    """Returns what a decoded header says; raises InvalidTokenError unless it is that of an access token we can check.

    A key or an address of one within it (`jwk`, `jku`, `x5c`, `x5u`) means nothing.
    """
    try:
        known = _Header.model_validate(header)
    except ValidationError as error:
        raise _not_valid("header", error) from None
    if known.typ.lower().removeprefix("application/") not in _TYPES:
        raise InvalidTokenError("a token of another type")
    if "crit" in header:
        raise InvalidTokenError("an extension that must be understood")
    if known.alg not in algorithms:
        raise InvalidTokenError("signed by another algorithm")
    return Header(known.alg, known.kid)


def read_claims(payload: bytes, policy: ClaimsPolicy) -> Claims:
    """Returns what the claims of a token say; raises InvalidTokenError unless they are as the policy says."""
    try:
        claims = _Claims.model_validate_json(payload)
    except ValidationError as error:
        raise _not_valid("claims", error) from None
    audiences = claims.aud if isinstance(claims.aud, list) else [claims.aud]
    if policy.audience is not None and policy.audience not in audiences:
        raise InvalidTokenError("made for others")
    if policy.issuer is not None and claims.iss != policy.issuer:
        raise InvalidTokenError("made by another issuer")
    is_administrator = not policy.admin_roles.isdisjoint(claims.roles)
    name = claims.name if isinstance(claims.name, str) else None
    caller = Caller(claims.project_id, claims.sub, is_administrator, name, claims.exp)
    return Claims(caller, claims.nbf, claims.exp)


def _not_valid(what: str, error: ValidationError) -> InvalidTokenError:
    wrong = sorted({str(problem["loc"][:1]) for problem in error.errors(include_input=False)})
    return InvalidTokenError(f"{what} not valid: {wrong}")
