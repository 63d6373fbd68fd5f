"""The wheel and the sdist: what is in them, that they are the same each time, and that the wheel's scripts run."""

import email.message
import email.parser
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.shipped.conftest import Distribution, build

PROJECT = Path(__file__).parents[2]
VENDORED = "service/console/vendor/"
PACKAGES = ("consumers", "gene_statistics", "service")
SCRIPTS = {"gene-statistics-api": "python -m service", "gene-statistics-consumer": "python -m consumers"}
UV = str(Path(sys.executable).with_name("uv"))


@pytest.fixture(scope="module")
def names(distribution: Distribution) -> set[str]:
    """The paths of all files in the wheel."""
    with zipfile.ZipFile(distribution.wheel) as wheel:
        return set(wheel.namelist())


@pytest.fixture(scope="module")
def metadata(distribution: Distribution, names: set[str]) -> email.message.Message:
    """The wheel's metadata."""
    (path,) = (name for name in names if name.endswith(".dist-info/METADATA"))
    with zipfile.ZipFile(distribution.wheel) as wheel:
        return email.parser.Parser().parsestr(wheel.read(path).decode())


@pytest.fixture(scope="module")
def environment(distribution: Distribution, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment with the wheel: docs/operating.md makes it by `python3 -m venv` and `venv/bin/pip install`.

    Its requirements are those of the tests' own environment: the image's are installed, by their hashes, in the image.
    """
    folder = tmp_path_factory.mktemp("installed") / "venv"
    wheel, path = str(distribution.wheel), str(folder)
    subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, path], check=True)  # noqa: S603 - a tool
    command = [UV, "pip", "install", "--quiet", "--offline", "--no-deps", "--python", path, wheel]
    subprocess.run(command, check=True)  # noqa: S603 - a tool
    (site_packages,) = folder.glob("lib/*/site-packages")
    # In a folder that is added so, .pth files mean nothing: the checkout, which is installed there, is not seen.
    (site_packages / "requirements.pth").write_text(sysconfig.get_path("purelib"))
    return folder


def run(environment: Path, program: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs a program of the environment outside the checkout, with these environment variables alone."""
    command = [str(environment / "bin" / program), *arguments]
    return subprocess.run(  # noqa: S603 - a program of ours
        command, cwd=environment, env=variables, check=False, capture_output=True, text=True
    )


def test_the_wheel_has_our_packages_alone(names: set[str]) -> None:
    """No name of it at the top level is anybody's: neither tests nor the stack of `make run` are installed."""
    tops = {name.split("/")[0] for name in names}
    assert tops == {*PACKAGES, "gene_job_statistics-0.1.0.dist-info"}


def test_the_wheel_has_every_file_of_them(names: set[str]) -> None:
    """Scripts in Lua, the style sheet and the marks of types are in it, as all modules are."""
    files = {
        path.relative_to(PROJECT).as_posix()
        for package in PACKAGES
        for path in (PROJECT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in names if not name.startswith("gene_job_statistics-")} == files
    assert {Path(name).suffix for name in files} >= {".py", ".lua", ".css", ".typed"}


def test_metadata(metadata: email.message.Message, names: set[str]) -> None:
    """The licenses and the readme are in it, and no address."""
    assert metadata["License-Expression"] == "Apache-2.0 AND BSD-3-Clause AND 0BSD"
    licenses = {name.partition(".dist-info/licenses/")[2] for name in names}
    vendored = {name for name in names if name.startswith(VENDORED) and ("LICENSE" in name or "NOTICE" in name)}
    assert len(vendored) >= 6
    assert licenses >= {"LICENSE"} | vendored
    assert metadata.get_payload() == (PROJECT / "README.md").read_text()
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata.get_all("Project-URL") is None


def test_the_sdist_builds_the_same(distribution: Distribution, tmp_path: Path) -> None:
    """The same files give the same bytes, wherever, whenever and by whomever they are built."""
    with tarfile.open(distribution.sdist) as sdist:
        sdist.extractall(tmp_path, filter="data")
    (unpacked,) = tmp_path.iterdir()
    for path in unpacked.rglob("*"):
        path.chmod(path.stat().st_mode & ~0o077)
    again = build(unpacked, tmp_path / "dist")
    assert again.wheel.read_bytes() == distribution.wheel.read_bytes()
    assert again.sdist.read_bytes() == distribution.sdist.read_bytes()


def test_make_dist() -> None:
    """`make dist` builds as these tests do."""
    printed = subprocess.run(
        ["make", "--no-print-directory", "--dry-run", "--assume-old=.venv/.ready-test", "dist"],  # noqa: S607 - what the tests are run with
        cwd=PROJECT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert printed.splitlines()[-1].endswith("python -m hatchling build")


def test_an_environment_has_no_other_top_level_names(environment: Path) -> None:
    """What the tests import from the checkout cannot be imported there."""
    program = (
        "import importlib.util as u; print([n for n in ('bench', 'deploy', 'examples', 'tests') if u.find_spec(n)])"
    )
    assert run(environment, "python", "-c", program).stdout == "[]\n"


@pytest.mark.parametrize("script", SCRIPTS)
def test_help(environment: Path, script: str) -> None:
    """Each script is the program that `python -m` runs."""
    ended = run(environment, script, "--help")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith(f"usage: {SCRIPTS[script]}")


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_wrong_setting(environment: Path, script: str) -> None:
    """A script ends as the program does: with a line about the setting, and the status for it."""
    ended = run(environment, script, STATS_LOG_LEVEL="LOUD", STATS_JWT_SECRET="s" * 32)
    assert ended.returncode == 2
    assert ended.stderr == "STATS_LOG_LEVEL: not valid; allowed: DEBUG, INFO, WARNING, ERROR or CRITICAL\n"


def test_commands(environment: Path) -> None:
    """The consumer's script takes the commands of an operator."""
    ended = run(environment, "gene-statistics-consumer", "check", "nothing.jsonl")
    assert (ended.returncode, ended.stderr) == (2, "nothing.jsonl: No such file or directory\n")
