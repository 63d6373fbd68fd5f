"""Publishes the events of three jobs, waits until the statistics have them, and prints these.

    TOKEN=... python examples/publish_and_ask.py localhost:9092 http://127.0.0.1:8080 PROJECT

The token is one of a tenant administrator of the project; `make run` prints one.
"""

import argparse
import asyncio
import os
import sys
import uuid
from datetime import UTC, datetime, timedelta

from gene_statistics import EventPublisher, GeneStatisticsError, JobEvent, JobStatus, Statistics, StatisticsClient

LIFE = (JobStatus.LAUNCHING, JobStatus.RUNNING, JobStatus.FINISHED)


def life_of_job(project_id: str, start: datetime, transitions: int) -> list[JobEvent]:
    """Returns the events of a job that has made so many transitions."""
    job_id = str(uuid.uuid4())
    return [
        JobEvent(
            project_id=project_id,
            job_id=job_id,
            user_id="example",
            user_name="example",
            job_type="DNA_GERMLINE",
            status=status,
            event_time=start + timedelta(seconds=sequence),
            start_time=start,
            input_size=729_092_919,
            sequence=sequence,
        )
        for sequence, status in enumerate(LIFE[:transitions], 1)
    ]


async def publish(bootstrap_servers: str, topic: str, events: list[JobEvent]) -> datetime:
    """Returns an instant before which all of the events were published."""
    async with EventPublisher(bootstrap_servers, topic=topic) as publisher:
        await publisher.publish_many(events)
    return datetime.now(UTC)


async def ask_as_of(client: StatisticsClient, project_id: str, start: datetime, instant: datetime) -> Statistics:
    """Returns the statistics of jobs from `start` on that have every event published before the instant."""
    while True:
        answer = await client.statistics(project_id, start=start)
        if answer.as_of >= instant:
            return answer
        await asyncio.sleep(0.2)


async def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bootstrap_servers")
    parser.add_argument("url")
    parser.add_argument("project_id")
    parser.add_argument("--topic", default="gene-job-events")
    arguments = parser.parse_args()
    token = os.environ.get("TOKEN")
    if not token:
        parser.error("the environment variable TOKEN is not set")
    project_id, start = arguments.project_id, datetime.now(UTC)
    events = [event for transitions in (3, 3, 2) for event in life_of_job(project_id, start, transitions)]
    try:
        published = await publish(arguments.bootstrap_servers, arguments.topic, events)
        async with StatisticsClient(arguments.url, token) as client, asyncio.timeout(60):
            answer = await ask_as_of(client, project_id, start, published)
    except (GeneStatisticsError, TimeoutError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    print(f"as of {answer.as_of.isoformat()}")
    for user in answer.users or ():
        print(f"{user.user_name}: {user.running_num} running, {user.finished_num} finished, {user.input_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
