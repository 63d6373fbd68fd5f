"""Runs `python -m deploy.local`: the whole service on this machine, with sample traffic, until Ctrl-C."""

import fcntl
import shlex
import signal
import sys
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import BinaryIO, NoReturn

from rich.console import Console

from deploy.local.plan import Folder, Ports, choose_ports, command_settings, settings
from deploy.local.process import ChildFailedError
from deploy.local.report import Report
from deploy.local.servers import MissingServerError
from deploy.local.stack import LocalStack
from deploy.local.tokens import TOKEN_LIFE_SECONDS, load_secret, sign_token
from deploy.traffic.population import PROJECTS, stable_id


def main() -> int:
    """Runs the stack in `.local` of the current folder; returns 0 when told to stop, 1 when a part failed."""
    folder = Folder(Path.cwd() / ".local")
    folder.log("any").parent.mkdir(parents=True, exist_ok=True)
    report = Report(Console())
    with folder.lock.open("wb") as lock:
        if not _locked(lock):
            report.line(f"another local stack is running in {folder.root}: stop that one first")
            return 1
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _raise_stop)
        try:
            _run(folder, report)
        except KeyboardInterrupt:
            report.line("stopped")
            return 0
        except (ChildFailedError, MissingServerError) as error:
            report.line(f"{error}\nstopped, because of the failure above")
            return 1


def _run(folder: Folder, report: Report) -> NoReturn:
    secret = load_secret(folder.secret)
    ports = choose_ports()
    sign = partial(sign_token, secret, now_seconds=int(time.time()))
    administrators = {
        project.project_id: sign(
            user_id=stable_id(f"{project.name}/administrator"),
            name="administrator",
            project_id=project.project_id,
            role="te_admin",
        )
        for project in PROJECTS
    }
    project = PROJECTS[0]
    user = project.users[0]
    sub_user = sign(user_id=user.user_id, name=user.name, project_id=project.project_id, role="te_user")
    with ExitStack() as running:
        try:
            stack = LocalStack(folder, ports, settings(ports, secret), report, running)
            stack.start(administrators)
            _say_how_to_use(report, folder, ports, administrators[project.project_id], sub_user)
            stack.watch()
        finally:
            _ignore_signals()  # the children are being stopped, and another Ctrl-C must not leave one behind


def _say_how_to_use(report: Report, folder: Folder, ports: Ports, administrator: str, sub_user: str) -> None:
    project, api = PROJECTS[0], f"http://127.0.0.1:{ports.api}"
    for line in (
        "",
        f"The API is ready: {api}  (its description: {api}/docs)",
        f"The console: {api}/console",
        "",
        f"Project {project.name}, as its administrator (the tokens are valid for {TOKEN_LIFE_SECONDS // 3600} h):",
        _curl(api, project.project_id, administrator),
        _link(api, administrator),
        "",
        f"The same project, as its user {project.users[0].name}:",
        _curl(api, project.project_id, sub_user),
        _link(api, sub_user),
        "",
        "A command of an operator:",
        _command(ports, "verify"),
        "",
        f"Logs: {folder.log('*')}    The consumer's metrics: http://127.0.0.1:{ports.metrics}/metrics",
        "Sample traffic goes on. Ctrl-C stops everything.",
    ):
        report.line(line)


def _curl(api: str, project_id: str, token: str) -> str:
    return f"curl -H 'X-Auth-Token: {token}' {api}/v2.0/{project_id}/gene/statistics"


def _link(api: str, token: str) -> str:
    """Returns the console's address with a token: the page takes it out of the address as it opens."""
    return f"{api}/console#token={token}"


def _command(ports: Ports, name: str) -> str:
    variables = " ".join(f"{variable}={text}" for variable, text in command_settings(ports).items())
    return f"{variables} {shlex.quote(sys.executable)} -m consumers {name}"


def _locked(lock: BinaryIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _raise_stop(_number: int, _frame: object) -> None:
    _ignore_signals()
    raise KeyboardInterrupt


def _ignore_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


if __name__ == "__main__":
    sys.exit(main())
