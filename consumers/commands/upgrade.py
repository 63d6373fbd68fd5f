"""Implements `upgrade`: gives the store the layout of this release."""

from argparse import ArgumentParser, Namespace

from consumers.commands.layout import convert
from consumers.commands.terminal import Terminal
from service.runtime.settings import ConsumerSettings
from service.store.layout.heads import LAYOUT_VERSION
from service.store.layouts import Layouts

SUMMARY = "give the store the layout of this release, while everything runs"
DESCRIPTION = """\
Gives each stripe of the store the newest layout version that this release knows, and counts what that version keeps
and the former one did not: the totals of all projects. Consumers and the API go on meanwhile. Interrupted, at whatever
instant, it goes on from where it was when it is run again; a store that has the layout is left as it is.

First all processes must be of this release: those of the former one end, with status 3, once they meet the new layout.
The way back is `downgrade`.

example:
  python -m consumers upgrade
"""
FOUND = "some stripes are damaged and could not be done: see verify --repair"


def add_arguments(_: ArgumentParser) -> None:
    """Adds nothing: the command has no arguments of its own."""


async def run(settings: ConsumerSettings, _: Namespace, terminal: Terminal) -> int:
    """Upgrades the store; returns 0 or 1. Raises StoreUnavailableError, LayoutError."""
    return await convert(settings, terminal, Layouts.upgrade, LAYOUT_VERSION)
