"""Says which records may be compacted away: those that tell nothing that a later record does not tell. Pure."""

from collections.abc import Mapping, Sequence

from service.events.event import JobDeletion, JobEvent
from tests.chaos.load import MOVING
from tests.end_to_end.traffic import Event
from tests.oracle import version
from tests.simulation.kafka.records import Content, StoredRecord


def superseded(records: Sequence[StoredRecord], events: Mapping[Content, Event | None]) -> set[int]:
    """Returns the offsets of events that a later record with the same key makes superfluous.

    The order of events is not that of offsets: only an event of an older version is, or of the same, and one that does
    not alone give its user a name.
    """
    gone: set[int] = set()
    later: dict[bytes, list[Event]] = {}
    for record in reversed(records):
        event = events[record.content()]
        if event is not None and record.key is not None:
            known = later.setdefault(record.key, [])
            if any(_covers(each, event) for each in known):
                gone.add(record.offset)
            known.append(event)
    return gone


def _covers(later: Event, event: Event) -> bool:
    if isinstance(later, JobDeletion) or isinstance(event, JobDeletion):
        return later == event
    return version(later) >= version(event) and (event.project_id == MOVING or _names(later, event))


def _names(later: JobEvent, event: JobEvent) -> bool:
    is_later = (later.event_time_ms, later.user_name) >= (event.event_time_ms, event.user_name)
    return later.user_id == event.user_id and is_later
