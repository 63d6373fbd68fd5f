"""The units of systemd: how little they may do, and how they start, end and fail in a booted machine."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.servers import find_broker
from tests.api.support import SECRET
from tests.conftest import require_part

PROJECT = Path(__file__).parents[2]
UNITS = sorted((PROJECT / "deploy" / "systemd").glob("*.service"))
API, OTHER_API, CONSUMER = (f"gene-statistics-{name}.service" for name in ("api@9181", "api@9182", "consumer@9464"))
# the machine resolves no names
ADDRESSES = {"STATS_REDIS_URL": "redis://127.0.0.1:6379/0", "STATS_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9092"}
MOST_EXPOSED = 20  # tenths; systemd's own scale ends at 100
PACKAGES = "systemd,systemd-sysv,dbus,python3,redis-server"


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_units_may_do_little(unit: Path) -> None:
    """`systemd-analyze` finds less than 2 of 10 to be exposed."""
    require_part(shutil.which("systemd-analyze") is not None, "systemd-analyze")
    command = ["systemd-analyze", "security", "--offline=true", f"--threshold={MOST_EXPOSED - 1}", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - a tool
    assert done.returncode == 0, done.stdout.splitlines()[-1]
    unknown = re.findall("Unknown key '(.*?)'", done.stderr)
    assert set(unknown) <= {"RestartSteps", "RestartMaxDelaySec"}  # of a later systemd than Debian 12 has


def tree() -> Path:
    """A Debian with systemd and Redis, which is made once."""
    made = PROJECT / ".local" / "systemd"
    if not made.exists():
        partial = made.with_name("systemd.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.parent.mkdir(exist_ok=True)
        options = ["--quiet", "--variant=minbase", f"--include={PACKAGES}"]
        command = ["mmdebstrap", *options, "bookworm", str(partial), mirror()]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - a tool
        partial.rename(made)
    return made


def mirror() -> str:
    """Where this machine gets Debian's packages from."""
    for path in [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*.sources")]:
        found = re.search(r"^(?:deb|URIs:) (\S+)", path.read_text() if path.exists() else "", re.MULTILINE)
        if found:
            return found[1]
    raise LookupError("no mirror of Debian's packages")


def launcher(module: str) -> str:
    """What stands in for a console script: the interpreter and the packages of this machine, under other paths."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    paths = "export LD_LIBRARY_PATH=/opt/python/lib PYTHONHOME=/opt/python PYTHONPATH=/opt/project:/opt/packages"
    return f'#!/bin/sh\n{paths} PYTHONDONTWRITEBYTECODE=1\nexec /opt/python/bin/python{version} -m {module} "$@"\n'


class Machine:
    """A booted machine with the units; `settings` is its folder of environment files."""

    def __init__(self, folder: Path) -> None:
        self.settings, programs = folder / "settings", folder / "gene-statistics" / "bin"
        self.settings.mkdir()
        programs.mkdir(parents=True)
        for name, module in (("api", "service"), ("consumer", "consumers")):
            program = programs / f"gene-statistics-{name}"
            program.write_text(launcher(module))
            program.chmod(0o755)
        self.set("api", STATS_JWT_SECRET=SECRET)
        self.set("consumer")
        folder.chmod(0o755)
        binds = {
            Path(sys.base_prefix): "/opt/python",
            Path(sysconfig.get_path("purelib")): "/opt/packages",
            **{PROJECT / name: f"/opt/project/{name}" for name in ("service", "consumers")},
            programs.parent: "/opt/gene-statistics",
            self.settings: "/etc/gene-statistics",
            **{unit: f"/etc/systemd/system/{unit.name}" for unit in UNITS},
        }
        options = [f"--bind-ro={path}:{target}" for path, target in binds.items()]
        command = [
            "systemd-nspawn",
            "--quiet",
            "--register=no",
            "--keep-unit",
            "--private-network",
            "--volatile=overlay",
        ]
        self._log = (folder / "machine.log").open("wb")
        self._process = subprocess.Popen(  # noqa: S603 - a tool
            [*command, f"--directory={tree()}", *options, "--boot"],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        while self.inside("systemctl", "is-system-running", check=False).strip() not in {"running", "degraded"}:
            assert self._process.poll() is None, (folder / "machine.log").read_text()
            time.sleep(0.1)

    @property
    def leader(self) -> str:
        """The machine's process 1; nspawn's first child only prepares it."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        while not children.read_text().split():
            assert self._process.poll() is None
        return children.read_text().split()[0]

    def inside(self, *command: str, check: bool = True) -> str:
        """Runs a command in the machine; returns what it prints."""
        enter = ["nsenter", "-t", self.leader, "-m", "-u", "-i", "-n", "-p", "-C", "--"]
        done = subprocess.run([*enter, *command], capture_output=True, text=True, check=False)  # noqa: S603 - a tool
        assert not check or done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout

    def set(self, name: str, **variables: str) -> None:
        """Writes the environment file of a kind of process."""
        path = self.settings / f"{name}.env"
        variables = {**ADDRESSES, **variables}
        path.write_text("".join(f"{variable}={value}\n" for variable, value in variables.items()))
        path.chmod(0o600)

    def properties(self, unit: str, *names: str) -> list[str]:
        """Properties of a unit, in that order."""
        lines = self.inside("systemctl", "show", unit, f"--property={','.join(names)}").splitlines()
        found = dict(line.split("=", 1) for line in lines)
        return [found[name] for name in names]

    def end(self) -> None:
        """Powers it off."""
        self.inside("systemctl", "poweroff", "--force", check=False)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A booted machine."""
    tools = ("systemd-nspawn", "mmdebstrap", "nsenter")
    require_part(os.geteuid() == 0 and all(map(shutil.which, tools)), f"{', '.join(tools)}, as root")
    started = Machine(tmp_path_factory.mktemp("machine"))
    yield started
    started.end()


def wait(machine: Machine, unit: str, state: str) -> None:
    """Returns when a unit is in that state."""
    for _ in range(600):
        if machine.properties(unit, "ActiveState") == [state]:
            return
        time.sleep(0.1)
    raise AssertionError(machine.inside("systemctl", "status", "--no-pager", unit, check=False))


def test_units_count_an_event_and_stop(machine: Machine, tmp_path: Path) -> None:
    """Two processes of the API on one port and a consumer: started, ready, restarted after a kill, ended with 0."""
    program = find_broker(PROJECT / ".local" / "home")
    enter = ["nsenter", "-t", machine.leader, "-n", "--", sys.executable, "-m", "tests.shipped.in_machine"]
    with subprocess.Popen(  # noqa: S603 - our own interpreter
        [*enter, program, str(tmp_path), "9181", "9182", "9464"],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as outside:
        assert outside.stdout is not None
        assert outside.stdout.readline() == "broker\n"
        machine.inside("systemctl", "start", API, OTHER_API, CONSUMER)
        assert outside.stdout.readline() == "running jobs: 1\n", machine.inside("journalctl", "--no-pager", "-n", "50")
        [before] = machine.properties(API, "MainPID")
        machine.inside("systemctl", "kill", "--signal=KILL", API)
        while machine.properties(API, "NRestarts", "ActiveState") != ["1", "active"]:
            time.sleep(0.1)
        assert machine.properties(API, "MainPID") != [before]
        for unit in (API, OTHER_API, CONSUMER):
            machine.inside("systemctl", "stop", unit)
            assert machine.properties(unit, "ActiveState", "Result", "ExecMainStatus") == ["inactive", "success", "0"]
        outside.communicate()


@pytest.mark.parametrize(
    ("unit", "name", "variable"), [(API, "api", "RATE_LIMIT"), (CONSUMER, "consumer", "SCRUB_SHARE")]
)
def test_a_bad_setting_fails_once(machine: Machine, unit: str, name: str, variable: str) -> None:
    """It is not started again and again, and the journal has the line that names it."""
    machine.set(name, STATS_JWT_SECRET=SECRET, **{f"STATS_{variable}": "many"})
    machine.inside("systemctl", "start", unit, check=False)
    wait(machine, unit, "failed")
    assert machine.properties(unit, "Result", "ExecMainStatus", "NRestarts") == ["exit-code", "2", "0"]
    lines = machine.inside("journalctl", "--no-pager", "-o", "cat", "-t", f"gene-statistics-{name}").splitlines()
    assert [line for line in lines if line.startswith(f"STATS_{variable}: ")] != []
    machine.inside("systemctl", "reset-failed", unit)
