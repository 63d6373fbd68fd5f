"""Prepares programs and images, and runs the trials in namespaces of their own.

`python -m tests.kubernetes` as root, on a Linux that has the programs named below, and CNI plugins in /usr/lib/cni. The
first time takes a quarter of an hour, mostly for compiling Kubernetes; then some minutes.
"""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.kafka.jars import find_kafka
from deploy.local.process import ChildFailedError
from deploy.maven import MissingPartError
from tests.helm import NoHelmError, find_helm
from tests.kubernetes.cluster import Cluster, CommandFailedError
from tests.kubernetes.images import build_images
from tests.kubernetes.node import Node
from tests.kubernetes.programs import NoProgramsError, build_programs
from tests.kubernetes.trials import TrialFailedError, run_trials
from tests.shipped.engine import RefusedError

_PROJECT = Path(__file__).parents[2]
_FOLDER = _PROJECT / ".local" / "kubernetes"
_INSIDE = "--inside"
_NEEDED = ("dockerd", "containerd", "runc", "iptables", "mmdebstrap", "go", "java", "mvn", "openssl", "unshare", "ip")
_KERNEL = (
    *("/proc/sys/vm/overcommit_memory", "/proc/sys/vm/panic_on_oom"),
    *("/proc/sys/kernel/panic", "/proc/sys/kernel/panic_on_oops"),
    *("/proc/sys/kernel/keys/root_maxkeys", "/proc/sys/kernel/keys/root_maxbytes"),
)
_FAILURES = (
    *(ChildFailedError, CommandFailedError, MissingPartError, NoHelmError, NoProgramsError, RefusedError),
    TrialFailedError,
)


def main() -> int:
    """Returns the exit code: 0 if every trial has passed."""
    inside = _INSIDE in sys.argv
    try:
        return _inside(Path(sys.argv[-1])) if inside else _outside()
    except _FAILURES as error:
        print(error, file=sys.stderr)
        return 1


def _outside() -> int:
    missing = [name for name in _NEEDED if shutil.which(name) is None]
    if missing or os.geteuid() != 0:
        print(
            f"make kubernetes needs root, and these programs: {', '.join(_NEEDED)}; missing: {missing}", file=sys.stderr
        )
        return 1
    build_programs(_FOLDER / "programs")
    find_helm(_PROJECT / ".local" / "helm")
    find_kafka(_PROJECT / ".local" / "kafka")
    build_images(_PROJECT / ".local" / "docker", _FOLDER / "programs", _FOLDER / "images.tar")
    with tempfile.TemporaryDirectory(prefix="kubernetes-") as folder:
        # All that is started ends with the first process of these namespaces, and what it has mounted is gone then.
        namespaces = [
            "unshare",
            "--net",
            "--mount",
            "--pid",
            "--ipc",
            "--uts",
            "--fork",
            "--kill-child",
            "--mount-proc",
        ]
        command = [*namespaces, sys.executable, "-m", "tests.kubernetes", _INSIDE, folder]
        with _machine_kept():
            return subprocess.run(command, check=False).returncode  # noqa: S603


@contextmanager
def _machine_kept() -> Iterator[None]:
    """Puts back what a kubelet sets for the whole machine, and removes the control groups of its containers."""
    before = {path: path.read_text() for path in map(Path, _KERNEL)}
    try:
        yield
    finally:
        for path, value in before.items():
            path.write_text(value)
        for group in Path("/sys/fs/cgroup").glob("*/k8s.io"):
            for folder, _, _ in os.walk(group, topdown=False):
                Path(folder).rmdir()


def _inside(folder: Path) -> int:
    node = Node(_FOLDER / "programs", folder)
    cluster = Cluster(find_helm(_PROJECT / ".local" / "helm"), node.kubeconfig, folder)
    try:
        node.start(_FOLDER / "images.tar")
        asyncio.run(run_trials(cluster, find_kafka(_PROJECT / ".local" / "kafka").jars))
    except _FAILURES:
        cluster.print_state()
        raise
    finally:
        cluster.delete_pods()
        node.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
