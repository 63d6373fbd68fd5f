"""Implements `inspect`: shows what the store knows of one job, and in which nodes it counts the job."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from dataclasses import asdict, replace

from consumers.commands.arguments import job_name
from consumers.commands.terminal import Terminal, instant
from consumers.store_client import store_client
from service.events.event import JobStatus
from service.runtime.settings import ConsumerSettings
from service.store.audit.inspection import Bucket, Inspection, inspect_job
from service.store.redis.views import DamagedError

SUMMARY = "show what is known of a job, and where it counts"
DESCRIPTION = """\
Shows a job's latest event as the store keeps it, and every bucket of start times that the job counts in, with what
that bucket counts of the job's user.

example:
  python -m consumers inspect e9993fc787d94b6c886cbaa340f9c0f4/180b9816-fb9f-454a-9537-09bee18834e0
"""
FOUND = "nothing is known of the job, its last bucket does not count it, or what should tell is damaged"


def add_arguments(parser: ArgumentParser) -> None:
    """Adds the command's own arguments."""
    parser.add_argument("job", metavar="PROJECT/JOB", type=job_name, help="the job, as the key of its events names it")


async def run(settings: ConsumerSettings, arguments: Namespace, terminal: Terminal) -> int:
    """Looks up one job and shows it; returns 0 or 1. Raises StoreUnavailableError, LayoutError."""
    project_id, job_id = arguments.job
    prefix = settings.redis_key_prefix or ""
    async with store_client(settings) as client:
        try:
            found = await inspect_job(client, project_id, job_id)
        except DamagedError as error:
            terminal.result(
                {"known": None, "damaged": {"key": prefix + error.key, "what": error.what}},
                [f"damaged: {prefix}{error.key} {error.what}; see verify"],
            )
            return 1
    if found is None:
        terminal.result({"known": False}, [f"nothing is known of job {job_id} in project {project_id}"])
        return 1
    found = _with_prefix(found, prefix)
    terminal.result({"known": True, **_document(found)}, _lines(found))
    return 0 if found.is_deleted or found.is_counted else 1


def _with_prefix(found: Inspection, prefix: str) -> Inspection:
    buckets = [replace(bucket, key=prefix + bucket.key) for bucket in found.buckets]
    return replace(found, key=prefix + found.key, buckets=buckets)


def _named(jobs: dict[JobStatus, int]) -> dict[str, int]:
    return {status.name: number for status, number in jobs.items()}


def _document(found: Inspection) -> dict[str, object]:
    status = found.status.name if found.status is not None else None
    buckets = [{**asdict(bucket), "jobs": _named(bucket.jobs)} for bucket in found.buckets]
    return {**asdict(found), "status": status, "buckets": buckets}


def _lines(found: Inspection) -> Iterator[str]:
    yield f"record      {found.key}"
    if found.is_deleted:
        yield "deleted: no event of this job counts any more"
        return
    yield f"status      {JobStatus(found.status or 0).name}"
    yield f"version     sequence {found.sequence}, event time {found.event_time_ms} ({instant(found.event_time_ms)})"
    yield f"start time  {found.start_time_ms} ({instant(found.start_time_ms)})"
    yield f"input size  {found.input_size_bytes} bytes"
    yield (
        f"user        {found.user_id} ({found.user_name})"
        if found.user_id
        else "user        without a name that can be read: drift"
    )
    yield "counts in, with all jobs of its user there:"
    yield from map(_bucket_line, found.buckets)
    if found.is_before_horizon:
        yield "it starts before the horizon: no answer counts it any more"
    yield "it is counted" if found.is_counted else "it is NOT counted in the last of these: drift, see verify"


def _bucket_line(bucket: Bucket) -> str:
    jobs = ", ".join(f"{number} {status.name}" for status, number in bucket.jobs.items()) or "no jobs"
    kind = "rows" if bucket.is_inner else "leaf"
    span = f"{instant(bucket.start_ms)} to {instant(bucket.end_ms)}"
    return f"  {kind}  {bucket.key}  {span}  {jobs}, {bucket.size_bytes} bytes"
