"""Images for the tests' engine: a base with Python from the distribution's packages, and the service's on top of it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from deploy.maven import MissingPartError
from tests.shipped.engine import Engine

BASE = "tests/python:3.13"
SERVICE = "gene-job-statistics:tests"
PROJECT = Path(__file__).parents[2]
_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
_DOCS = ("doc", "locale", "man")


def make_base(engine: Engine, scratch: Path) -> None:
    """Makes the base image if it is not there: Debian 13 with Python 3.13. Raises MissingPartError."""
    if engine.has_image(BASE):
        return
    mmdebstrap = shutil.which("mmdebstrap")
    if mmdebstrap is None:
        raise MissingPartError("a base image: no mmdebstrap in the PATH")
    tree = scratch / "base.tar"
    without = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _DOCS]
    packages = "--include=ca-certificates,python3,python3-venv"
    command = [mmdebstrap, "--quiet", "--variant=minbase", packages, *without, "trixie", str(tree), _mirror()]
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 - a tool
    if done.returncode != 0:
        raise MissingPartError(f"a base image: {done.stderr.strip().splitlines()[-1]}")
    engine.docker("import", str(tree), BASE)
    tree.unlink()


def build_service(engine: Engine, scratch: Path) -> None:
    """Builds the service's image, as the Dockerfile says for those with an index or a CA of their own."""
    configuration = scratch / "pip.conf"
    configuration.write_text(f"[global]\ncert = /run/secrets/ca.pem\n{_index()}")
    authorities = os.environ.get("PIP_CERT", _CERTIFICATES)
    secrets = ("--secret", f"id=pip,src={configuration}", "--secret", f"id=ca,src={authorities}")
    tags = ("--tag", SERVICE, "--build-arg", f"BASE={BASE}", "--build-arg", "REVISION=tests")
    engine.docker("build", "--network=host", *secrets, *tags, str(PROJECT))


def _mirror() -> str:
    """Returns the address of the packages of this machine's distribution."""
    for path in (Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*.sources")):
        for line in path.read_text().splitlines() if path.exists() else ():
            match line.split():
                case ["deb", address, *_] | ["URIs:", address, *_]:
                    return address
    raise MissingPartError("a base image: this machine's distribution is not Debian")


def _index() -> str:
    """Returns the line of a pip.conf that names this machine's index, nothing if that is the usual one."""
    command = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
    named = subprocess.run(command, check=False, capture_output=True, text=True).stdout.strip()  # noqa: S603 - a tool
    address = os.environ.get("PIP_INDEX_URL", named)
    return f"index-url = {address}\n" if address else ""
