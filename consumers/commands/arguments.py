"""Parses the arguments of commands; each function raises ArgumentTypeError, which says what the argument should be."""

import re
from argparse import ArgumentTypeError
from datetime import UTC, datetime

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_WHAT_AN_ID_IS = "1 to 64 characters of A-Z a-z 0-9 _ -"


def project_id(text: str) -> str:
    """Returns the text if it is a project's id."""
    if not _ID.fullmatch(text):
        raise ArgumentTypeError(f"not a project id: {_WHAT_AN_ID_IS}")
    return text


def job_name(text: str) -> tuple[str, str]:
    """Returns the ids of project and job from the text that is an event's key."""
    project, slash, job = text.partition("/")
    if not slash or not _ID.fullmatch(project) or not _ID.fullmatch(job):
        raise ArgumentTypeError(f"not PROJECT/JOB, each {_WHAT_AN_ID_IS}")
    return project, job


def instant_ms(text: str) -> int:
    """Returns Unix milliseconds, from these or from ISO 8601; a time without an offset is UTC."""
    if re.fullmatch(r"[0-9]{1,16}", text):
        return int(text)
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError("neither ISO 8601 (2026-01-31T12:00:00Z) nor Unix milliseconds") from None
    return round((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1000)
