"""Time and CPU time of a peer, from its first record to its last."""

import json
import os
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

SESSION_SECONDS = 6  # the embedded broker holds a member's request to join for half of that


@dataclass(slots=True)
class Meter:
    """Started by the first record; writes its figures once `limit` records are counted in Redis."""

    limit: int
    path: Path
    records: Counter[int] = field(default_factory=Counter)
    started: float = 0.0
    cpu_started: float = 0.0

    @property
    def left(self) -> int:
        """Records still to take."""
        return self.limit - self.records.total()

    def start(self) -> None:
        """A record is there; only the first one matters."""
        if not self.started:
            self.started, self.cpu_started = time.perf_counter(), time.process_time()

    def add(self, partition: int, records: int) -> None:
        """So many records of a partition are counted."""
        self.records[partition] += records
        if self.left <= 0:
            result = {
                "seconds": time.perf_counter() - self.started,
                "cpu_seconds": time.process_time() - self.cpu_started,
                "records": self.records,
            }
            whole = self.path.with_suffix(".part")
            whole.write_text(json.dumps(result))
            whole.replace(self.path)


def arguments() -> Meter:
    """The meter that the command line asks for."""
    return Meter(int(sys.argv[1]), Path(sys.argv[2]))


def setting(name: str) -> str:
    """One of the project's settings, from the environment."""
    return os.environ[f"STATS_{name}"]
