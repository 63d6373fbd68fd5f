"""The images that the trials run, built by the tests' Docker engine and saved as one archive."""

import shutil
import tempfile
from pathlib import Path

from tests.shipped.engine import start_engine
from tests.shipped.images import BASE, SERVICE, build_service, make_base

_FILES = Path(__file__).parent / "images"
_SERVERS = ("redis", "kafka", "pause")


def build_images(data: Path, programs: Path, archive: Path) -> None:
    """Builds the images, and saves them; the engine keeps what it needs the next time in `data`.

    Raises MissingPartError, RefusedError and ChildFailedError.
    """
    with tempfile.TemporaryDirectory(prefix="engine-") as scratch:
        engine = start_engine(data, Path(scratch))
        try:
            make_base(engine, Path(scratch))
            build_service(engine, Path(scratch))
            context = Path(shutil.copytree(_FILES, Path(scratch) / "images"))
            shutil.copy2(programs / "pause", context)
            for name in _SERVERS:
                source = f"--file={context / name}.Dockerfile"
                options = ("--network=host", f"--build-arg=BASE={BASE}", source, f"--tag={_tag(name)}")
                engine.docker("build", *options, str(context))
            engine.docker("save", f"--output={archive}", SERVICE, *map(_tag, _SERVERS))
        finally:
            engine.stop()


def _tag(server: str) -> str:
    return f"{server}:tests"
