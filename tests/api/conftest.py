"""The served API as a fixture."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from subprocess import CalledProcessError

import pytest

from tests.api.support import Api, served
from tests.blocking import no_blocking_calls
from tests.conftest import require_part
from tests.keystone import Keystone, install_keystone, set_up_keystone


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    """The API without a rate limit, over a store in memory."""
    async with served() as api:
        yield api


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


@pytest.fixture(scope="package", autouse=True)
def event_loop_is_watched() -> Iterator[None]:
    """Fails a test in which the API blocks the loop."""
    with no_blocking_calls():
        yield
