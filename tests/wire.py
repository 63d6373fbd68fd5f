"""An event as it is on the wire."""

from service.events.event import JobEvent


def required_fields(event: JobEvent, event_id: str) -> dict[str, object]:
    """The fields that every event's JSON has."""
    return {
        "event_id": event_id,
        "event_time": event.event_time_ms,
        "project_id": event.project_id,
        "user_id": event.user_id,
        "user_name": event.user_name,
        "job_id": event.job_id,
        "status": event.status.name,
        "start_time": event.start_time_ms,
        "input_size": event.input_size_bytes,
    }
