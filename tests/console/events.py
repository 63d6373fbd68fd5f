"""Events to look at: a year of jobs whose names and sizes are the hard ones."""

from collections.abc import Sequence
from random import Random
from uuid import UUID

from service.events.event import MAX_SIZE_BYTES, JobEvent, JobStatus

DAY_MS = 86_400_000
PRESETS_DAYS = (1, 7, 30, 365)
_NEAR_MS = 10 * 60_000
# What a page may get wrong: other scripts, markup, a formula, what sorts oddly, what does not fit.
NAMES = ("ann", "Böb", "测试用户", "<b>bold</b>", "=1+1", 'o\'neil, "x"', "w" * 128, "zoë")


def user_ids(names: Sequence[str]) -> list[str]:
    """An id for each name."""
    return [f"user-{number}" for number in range(len(names))]


def year_of_jobs(project_id: str, now_ms: int, jobs: int = 400, names: Sequence[str] = NAMES) -> list[JobEvent]:
    """Jobs of all states: a quarter of them in the last day, the others over a year. The same for the same present.

    No job is nearer than ten minutes to the border of a preset, so that it stays on its side while a test goes on.
    """
    rnd = Random(jobs)
    ids = user_ids(names)
    return [_job(rnd, project_id, now_ms, number, ids, names) for number in range(jobs)]


def _job(  # noqa: PLR0917 - what a job is made of
    rnd: Random, project_id: str, now_ms: int, number: int, ids: Sequence[str], names: Sequence[str]
) -> JobEvent:
    user = number % len(ids) if number < len(ids) else rnd.randrange(len(ids))
    span_days = 1 if number % 4 == 0 else rnd.choice((7, 30, 365))
    age_ms = _off_the_borders(rnd.randrange(span_days * DAY_MS))
    # the sums are more than a double holds
    size = MAX_SIZE_BYTES if number < 3 else rnd.choice((0, 7, 10**9, rnd.randrange(10**13)))
    return JobEvent(
        project_id,
        str(UUID(int=rnd.getrandbits(128), version=4)),
        ids[user],
        names[user],
        JobStatus(rnd.choice((0, 1, 1, 2, 3, 3, 4, 4, 4, 4, 5))),
        now_ms - age_ms + 1,
        now_ms - age_ms,
        size,
        1,
    )


def _off_the_borders(age_ms: int) -> int:
    near = [border for border in (0, *(days * DAY_MS for days in PRESETS_DAYS)) if abs(age_ms - border) < _NEAR_MS]
    return near[0] - _NEAR_MS if near and near[0] else age_ms + (_NEAR_MS if near else 0)


def many_users(project_id: str, now_ms: int, users: int = 5_000) -> list[JobEvent]:
    """Two jobs for each of so many users, all of the last day."""
    rnd = Random(users)
    names = [f"user {number:05}" for number in range(users)]
    return [
        _job(rnd, project_id, now_ms, 4 * number, [f"user-{number}"], [name])
        for number, name in enumerate(names, 1)
        for _ in range(2)
    ]
