"""The wheel and the sdist of this checkout, its image, and an engine that runs that."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.maven import MissingPartError
from tests.conftest import require_part
from tests.shipped.engine import Engine, RefusedError, start_engine
from tests.shipped.images import SERVICE, build_service, make_base


@dataclass(frozen=True)
class Distribution:
    """Holds the paths of what was built from one folder."""

    wheel: Path
    sdist: Path


def build(folder: Path, target: Path) -> Distribution:
    """Builds the project in `folder` into `target`, as `make dist` does. Raises CalledProcessError."""
    command = [sys.executable, "-m", "hatchling", "build", "--directory", str(target)]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)  # noqa: S603 - a tool
    (wheel,), (sdist,) = target.glob("*.whl"), target.glob("*.tar.gz")
    return Distribution(wheel, sdist)


@pytest.fixture(scope="session")
def distribution(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Distribution:
    """What `make dist` builds of this checkout."""
    return build(pytestconfig.rootpath, tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="session")
def engine(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A Docker engine. Its images stay in .local, so the next session finds them."""
    if os.geteuid() != 0:
        pytest.skip("no Docker engine: only root may start one")
    with tempfile.TemporaryDirectory(prefix="engine-") as run:  # the path of a socket must be short
        try:
            engine = start_engine(pytestconfig.rootpath / ".local" / "docker", Path(run))
        except MissingPartError as error:
            require_part(False, str(error))
            raise
        except RefusedError as error:
            pytest.skip(f"no Docker engine may run here: {error}")
        try:
            make_base(engine, tmp_path_factory.mktemp("base"))
            yield engine
        except MissingPartError as error:
            require_part(False, str(error))
        finally:
            engine.stop()


@pytest.fixture(scope="session")
def image(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of the service's image, built of this checkout."""
    build_service(engine, tmp_path_factory.mktemp("image"))
    return SERVICE
