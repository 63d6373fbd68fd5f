"""Keeps the local stack's signing secret, and signs tokens for its sample people."""

import os
import secrets
from pathlib import Path

import jwt

TOKEN_LIFE_SECONDS = 24 * 3600


def load_secret(path: Path) -> str:
    """Returns the secret in the file `path`; if there is none, makes one that its owner alone can read."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text()
    with os.fdopen(descriptor, "w") as file:
        secret = secrets.token_urlsafe(48)
        file.write(secret)
    return secret


def sign_token(  # noqa: PLR0913 - one argument for each claim
    secret: str, *, user_id: str, name: str, project_id: str, role: str, now_seconds: int
) -> str:
    """Returns a JWT (HS256) for one person in one project, valid for TOKEN_LIFE_SECONDS."""
    claims = {"sub": user_id, "name": name, "project_id": project_id, "roles": [role]}
    return jwt.encode({**claims, "exp": now_seconds + TOKEN_LIFE_SECONDS}, secret, algorithm="HS256")
