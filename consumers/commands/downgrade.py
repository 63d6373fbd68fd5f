"""Implements `downgrade`: takes the store back to the layout of the release before, so that it can run again."""

from argparse import ArgumentParser, Namespace

from consumers.commands.layout import convert
from consumers.commands.terminal import Terminal
from service.runtime.settings import ConsumerSettings
from service.store.layout.heads import OLDEST_LAYOUT_VERSION
from service.store.layouts import Layouts

SUMMARY = "take the store back to the layout of the release before, while everything runs"
DESCRIPTION = """\
Takes each stripe of the store back to the oldest layout version that this release knows, so that the release before can
run again. What that version does not keep, the totals of all projects, is deleted: `upgrade` counts it anew. Consumers
and the API of this release go on meanwhile, and afterwards. Interrupted, it can be run again.

example:
  python -m consumers downgrade
"""
FOUND = "some stripes are damaged and could not be done: see verify --repair"


def add_arguments(_: ArgumentParser) -> None:
    """Adds nothing: the command has no arguments of its own."""


async def run(settings: ConsumerSettings, _: Namespace, terminal: Terminal) -> int:
    """Downgrades the store; returns 0 or 1. Raises StoreUnavailableError, LayoutError."""
    return await convert(settings, terminal, Layouts.downgrade, OLDEST_LAYOUT_VERSION)
