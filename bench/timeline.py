"""`python -m bench.timeline PATH`: a consumer that writes down when it has fetched, decoded and written which offsets.

A line for each step of a batch goes to the file: the step, the instant, and by partition the offset that it reaches.
"""

import json
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, TextIO

from consumers import __main__ as consumer
from consumers.ingest.batch import Batch
from consumers.ingest.reading import Reading
from consumers.kafka.aiokafka_private import _Fetcher

STEPS = ("fetched", "decoded", "begun", "written")


def now_seconds() -> float:
    """An instant of the clock that all processes of a machine share (Linux)."""
    return time.monotonic()


def _write_down(file: TextIO) -> None:
    def note(step: str, reached: Mapping[int, int]) -> None:
        if reached:
            file.write(json.dumps([step, now_seconds(), list(reached.items())]) + "\n")

    create_records, close, write = _Fetcher._create_records, Batch.close, Reading._write

    def noted_create_records(self: Any, tp: Any, *rest: Any) -> Any:
        records = create_records(self, tp, *rest)
        note("fetched", {tp.partition: records.end_offset})
        return records

    def noted_close(self: Batch) -> None:
        close(self)
        note("decoded", self.positions)

    async def noted_write(self: Reading, batch: Batch, *rest: Any) -> bool:
        note("begun", batch.positions)
        has_read = await write(self, batch, *rest)
        note("written", batch.positions)
        return has_read

    for owner, name, noted in (
        (_Fetcher, "_create_records", noted_create_records),
        (Batch, "close", noted_close),
        (Reading, "_write", noted_write),
    ):
        setattr(owner, name, noted)


@dataclass(frozen=True, slots=True)
class Probe:
    """An event that was asked for: where it lies, and when it was acknowledged and counted by an answer."""

    partition: int
    offset: int
    acknowledged: float
    answered: float

    @property
    def delay_ms(self) -> float:
        """From the acknowledgement to the end of the answer."""
        return (self.answered - self.acknowledged) * 1000


def medians_ms(path: Path, probes: Sequence[Probe]) -> dict[str, float]:
    """How long each step of these probes took, medians; `answered` is the last step."""
    instants: defaultdict[tuple[str, int], list[tuple[int, float]]] = defaultdict(list)
    for line in path.read_text().splitlines():
        step, at, reached = json.loads(line)
        for partition, offset in reached:
            instants[step, partition].append((offset, at))
    took: defaultdict[str, list[float]] = defaultdict(list)
    for probe in probes:
        before = probe.acknowledged
        for step in STEPS:
            at = next(at for offset, at in instants[step, probe.partition] if offset > probe.offset)
            took[step].append(at - before)
            before = at
        took["answered"].append(probe.answered - before)
    return {f"slowest_{step}_ms": round(median(seconds) * 1000, 1) for step, seconds in took.items()}


def main() -> int:
    """Runs a consumer until a signal stops it; returns its exit status."""
    with Path(sys.argv.pop()).open("w", buffering=1) as file:
        _write_down(file)
        return consumer.main()


if __name__ == "__main__":
    sys.exit(main())
