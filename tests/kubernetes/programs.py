"""Kubernetes' servers and etcd: compiled from their modules' sources once, and kept."""

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

KUBERNETES = "v1.37.2"
_LIBRARIES = KUBERNETES.replace("v1.", "v0.")  # k8s.io/api and the like
_ETCD = "v3.6.16"
SERVERS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy")


class NoProgramsError(Exception):
    """Says why a program cannot be had."""


def build_programs(folder: Path) -> None:
    """Compiles what `folder` lacks, with a Go that is installed: twelve minutes of a core. Raises NoProgramsError."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "etcd").exists():
        module = _module(folder, "etcd", f"require go.etcd.io/etcd/server/v3 {_ETCD}")
        _compile(module, ["go.etcd.io/etcd/server/v3"], folder / "etcd", "")
    missing = [f"k8s.io/kubernetes/cmd/{name}" for name in SERVERS if not (folder / name).exists()]
    if missing:
        version = {"gitVersion": KUBERNETES, "gitMajor": "1", "gitMinor": KUBERNETES.split(".")[1]}
        flags = "".join(f" -X k8s.io/component-base/version.{name}={value}" for name, value in version.items())
        _compile(_module(folder, "kubernetes", _kubernetes_requirements()), missing, folder, flags)
    if not (folder / "pause").exists():
        _compile(folder, [str(Path(__file__).parent / "images" / "pause.go")], folder / "pause", "")


def _kubernetes_requirements() -> str:
    """Returns the lines of a go.mod: Kubernetes' own replaces its libraries by folders, which a module cannot have."""
    listed = _go(Path.cwd(), "mod", "download", "-json", f"k8s.io/kubernetes@{KUBERNETES}")
    own = re.search(r'"GoMod": "(.*)"', listed)
    assert own is not None
    names = re.findall(r"^\s*(k8s\.io/[\w.-]+) => \./staging", Path(own[1]).read_text(), re.MULTILINE)
    replaced = "".join(f"\t{name} => {name} {_LIBRARIES}\n" for name in names)
    return f"require k8s.io/kubernetes {KUBERNETES}\n\nreplace (\n{replaced})"


def _module(folder: Path, name: str, requirements: str) -> Path:
    module = folder / f"{name}-module"
    module.mkdir(exist_ok=True)
    (module / "go.mod").write_text(f"module {name}\n\ngo 1.26.0\n\n{requirements}\n")
    return module


def _compile(module: Path, packages: Sequence[str], target: Path, flags: str) -> None:
    """Compiles programs into `target`, a file or a folder: on one core, and behind whatever else wants it."""
    print(f"compiling {', '.join(package.rpartition('/')[2] for package in packages)}", flush=True)
    _go(module, "build", "-p", "1", "-trimpath", f"-ldflags=-s -w{flags}", "-o", str(target), *packages)


def _go(folder: Path, *arguments: str) -> str:
    environment: Mapping[str, str] = {**os.environ, "GOFLAGS": "-mod=mod", "CGO_ENABLED": "0"}
    try:
        done = subprocess.run(  # noqa: S603 - the Go that is installed
            ["nice", "-n", "5", "go", *arguments],  # noqa: S607
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
    except FileNotFoundError as error:
        raise NoProgramsError("go is not on the PATH: Kubernetes 1.37 takes Go 1.26") from error
    except subprocess.CalledProcessError as error:
        raise NoProgramsError(f"go {arguments[0]} failed: {error.stderr.strip()[-500:]}") from error
    return done.stdout
