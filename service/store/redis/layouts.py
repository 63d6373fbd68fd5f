"""Says once that a store has an older layout: this release goes on with it, and the operator may upgrade it."""

import logging

from service.store.layout.heads import LAYOUT_VERSION, Head

_log = logging.getLogger(__name__)


class LayoutNotes:
    """Remembers whether the older layout of a store has been logged."""

    def __init__(self) -> None:
        self._is_logged = False

    def note(self, *heads: Head | None) -> None:
        """Logs a line, once, if a head has an older layout version than a new store."""
        versions = {head.layout_version for head in heads if head is not None} - {LAYOUT_VERSION}
        if versions and not self._is_logged:
            self._is_logged = True
            _log.warning(
                "the store has layout version %d and goes on with it, without totals; once all processes are of this"
                " release, `python -m consumers upgrade` makes it %d",
                min(versions),
                LAYOUT_VERSION,
            )
