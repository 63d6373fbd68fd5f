"""A real OpenStack Keystone for tests, in a virtual environment of its own: it pins half the world."""

import os
import signal
import subprocess
import sys
import uuid
import venv
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from keystoneauth1.identity.v3 import ApplicationCredential, Password
from keystoneauth1.session import Session

from deploy.local.process import Child, start_child, wait_until
from deploy.local.servers import free_port

ADMIN_PASSWORD = "the password of tests"
DOMAIN = "Default"
_REQUIREMENTS = ("keystone>=29,<31", "waitress>=3,<4")
_CONFIGURATION = """
[database]
connection = sqlite:///{folder}/keystone.db
[token]
provider = fernet
expiration = 3600
allow_expired_window = 0
[fernet_tokens]
key_repository = {folder}/fernet
[fernet_receipts]
key_repository = {folder}/receipts
[credential]
key_repository = {folder}/credentials
[identity]
password_hash_rounds = 4
[cache]
enabled = true
backend = dogpile.cache.memory
"""
# Importing Keystone takes seconds, so one process does all: a child of it makes the database, unless there is one.
_PROGRAM = """
import os, sys, waitress
folder, port, password, sys.argv[1:] = *sys.argv[1:], []
from keystone.cmd import cli
if not os.path.exists(f"{folder}/keystone.db") and os.fork() == 0:
    who = [f"--keystone-user={os.getuid()}", f"--keystone-group={os.getgid()}"]
    bootstrap = ["bootstrap", f"--bootstrap-password={password}"]
    for words in ["db_sync"], ["fernet_setup", *who], ["credential_setup", *who], bootstrap:
        cli.CONF.reset()
        cli.main(["keystone-manage", f"--config-file={folder}/keystone.conf", *words])
    os._exit(0)
try:
    assert os.wait()[1] == 0
except ChildProcessError:
    pass
from keystone.server.wsgi import initialize_public_application
waitress.serve(initialize_public_application(), listen=f"127.0.0.1:{port}", threads=8)
"""


def install_keystone(folder: Path) -> Path:
    """The Python that has Keystone, installed there unless it is already. Raises CalledProcessError."""
    python = folder / "bin" / "python"
    if not (folder / ".ready").exists():
        venv.create(folder, clear=True)
        pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-compile"]
        subprocess.run([*pip, *_REQUIREMENTS], check=True)  # noqa: S603
        (folder / ".ready").touch()
    return python


@dataclass
class Keystone:
    """A Keystone on its own SQLite file, and what its administrator does there."""

    python: Path
    folder: Path
    port: int
    child: Child
    _administrator: Session | None = None

    @property
    def url(self) -> str:
        """Where it is reached."""
        return f"http://127.0.0.1:{self.port}/v3"

    def start(self) -> None:
        """Starts it again; returns when it answers."""
        self.child = _serve(self.python, self.folder, self.port)

    def kill(self) -> None:
        """Ends it without any warning."""
        self.child.process.kill()
        self.child.process.wait()

    def freeze(self) -> None:
        """Lets it take connections, and answer nothing."""
        self.child.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Lets it go on."""
        self.child.process.send_signal(signal.SIGCONT)

    def session(self, username: str, password: str, **scope: Any) -> Session:
        """A session of OpenStack's own client; the scope is `project_name`, `domain_id`, `system_scope`, or none."""
        if "project_name" in scope:
            scope["project_domain_name"] = DOMAIN
        return Session(auth=Password(self.url, username=username, password=password, user_domain_name=DOMAIN, **scope))

    def token(self, username: str, password: str, **scope: Any) -> str:
        """A token of a user, see session."""
        return str(self.session(username, password, **scope).get_token())

    def application_token(self, session: Session, **fields: Any) -> str:
        """A token of a new application credential of the session's user and project, with these fields."""
        path = f"{self.url}/users/{session.get_user_id()}/application_credentials"
        fields |= {"name": uuid.uuid4().hex, "secret": "the secret of tests"}
        made = session.post(path, json={"application_credential": fields}).json()["application_credential"]
        auth = ApplicationCredential(self.url, fields["secret"], application_credential_id=made["id"])
        return str(Session(auth=auth).get_token())

    def ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
        """What the API answers its administrator; None if that is empty."""
        if self._administrator is None:
            self._administrator = self.session("admin", ADMIN_PASSWORD, project_name="admin")
        response = self._administrator.request(f"{self.url}/{path}", method, json=body, headers=headers or {})
        return response.json() if response.content else None

    def create(self, kind: str, **fields: Any) -> str:
        """The id of a new project, user, role, service or endpoint."""
        return str(self.ask("POST", f"{kind}s", {kind: fields})[kind]["id"])

    def roles(self) -> dict[str, str]:
        """The ids of all roles by name: those that every Keystone has, and `te_admin`."""
        ids = {each["name"]: each["id"] for each in self.ask("GET", "roles")["roles"]}
        if "te_admin" not in ids:
            ids["te_admin"] = self.create("role", name="te_admin")
        return ids

    def create_user(self, name: str, password: str, roles: dict[str, list[str]]) -> str:
        """The id of a new user, who has these roles, by id, in the projects of these ids."""
        user = self.create("user", name=name, password=password, domain_id="default")
        for project, ids in roles.items():
            for role in ids:
                self.ask("PUT", f"projects/{project}/users/{user}/roles/{role}")
        return user

    def revoke(self, token: str) -> None:
        """Revokes a token."""
        self.ask("DELETE", "auth/tokens", headers={"X-Subject-Token": token})


def set_up_keystone(python: Path, folder: Path) -> Keystone:
    """A Keystone with an empty database, started; its administrator is `admin` of the project `admin`."""
    folder.mkdir(parents=True)
    (folder / "keystone.conf").write_text(_CONFIGURATION.format(folder=folder))
    for name in ("fernet", "receipts", "credentials"):
        (folder / name).mkdir(mode=0o700)
    port = free_port()
    return Keystone(python, folder, port, _serve(python, folder, port))


def _serve(python: Path, folder: Path, port: int) -> Child:
    command = [str(python), "-c", _PROGRAM, str(folder), str(port), ADMIN_PASSWORD]
    environment = {**os.environ, "OS_KEYSTONE_CONFIG_DIR": str(folder), "OS_KEYSTONE_CONFIG_FILES": "keystone.conf"}
    child = start_child("keystone", command, environment, folder / "keystone.log")
    wait_until(child, lambda: _answers(port), "answer", timeout_seconds=60)
    return child


def _answers(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/v3", timeout=5) as response:
            return bool(response.status == HTTPStatus.OK)
    except OSError:
        return False
