"""The served API as a fixture."""

import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from subprocess import CalledProcessError
from typing import Any

import pytest

from service.runtime.log import JsonFormatter
from tests.api.keystone_world import World, make_world
from tests.api.support import Api, served
from tests.blocking import no_blocking_calls
from tests.conftest import require_part
from tests.keystone import Keystone, install_keystone, set_up_keystone


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    """The API without a rate limit, over a store in memory."""
    async with served() as api:
        yield api


@pytest.fixture
def log_lines(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Gives the lines of the log, of all levels, as the process writes them."""
    caplog.set_level(logging.DEBUG)
    before = caplog.handler.formatter
    caplog.handler.setFormatter(JsonFormatter())
    yield lambda: [json.loads(line) for line in caplog.text.splitlines()]
    caplog.handler.setFormatter(before)


@pytest.fixture(scope="session")
def keystone(servers_folder: Path, pytestconfig: pytest.Config) -> Iterator[Keystone]:
    """A Keystone. A test that makes it fail puts it right again."""
    try:
        python = install_keystone(pytestconfig.rootpath / ".local" / "keystone")
    except (CalledProcessError, OSError) as error:
        require_part(False, f"Keystone, from the package index: {error}")
        raise
    keystone = set_up_keystone(python, servers_folder / "keystone")
    yield keystone
    keystone.child.stop()


@pytest.fixture
def world(keystone: Keystone) -> World:
    """Users and projects of one test in Keystone."""
    return make_world(keystone)


@pytest.fixture(scope="package", autouse=True)
def event_loop_is_watched() -> Iterator[None]:
    """Fails a test in which the API blocks the loop."""
    with no_blocking_calls():
        yield
