"""A Kubernetes of one node: etcd, the control plane, containerd, kubelet and kube-proxy as processes of this machine.

It must run in namespaces of its own (network, mounts, processes): __main__ sees to that. So nothing that it does to
routes, rules of iptables and mounts is seen outside, and all of it ends with its last process.
"""

import http.client
import json
import os
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

from deploy.local.process import Child, start_child, wait_ready

ADDRESS = "10.201.0.1"
SERVICES = "10.96.0.0/16"
_PODS = "10.202.0.0/24"
_API = 6443
_TOKEN = "of-a-cluster-that-nobody-else-reaches"
_SCRATCH = ("/run", "/var/lib/cni", "/var/log/containers")

_CONTAINERD = """
version = 2
root = "{folder}/containerd"
state = "/run/containerd"
[grpc]
  address = "/run/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "docker.io/library/pause:tests"
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{folder}/cni"
"""
_CNI = {
    "cniVersion": "1.0.0",
    "name": "pods",
    "plugins": [
        {
            "type": "bridge",
            "bridge": "pods0",
            "isGateway": True,
            "ipMasq": True,
            "hairpinMode": True,
            "ipam": {"type": "host-local", "ranges": [[{"subnet": _PODS}]], "routes": [{"dst": "0.0.0.0/0"}]},
        },
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ],
}
_KUBELET = {
    "apiVersion": "kubelet.config.k8s.io/v1beta1",
    "kind": "KubeletConfiguration",
    "containerRuntimeEndpoint": "unix:///run/containerd.sock",
    "cgroupDriver": "cgroupfs",
    "cgroupsPerQOS": False,
    "enforceNodeAllocatable": [],
    "failCgroupV1": False,
    "failSwapOn": False,
    "resolvConf": "",
    "address": ADDRESS,
    "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
    "authorization": {"mode": "AlwaysAllow"},
    "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
    "imageGCHighThresholdPercent": 100,
    "registerWithTaints": [],
}


class Node:
    """Starts the servers in their order, and stops them in the opposite one."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self._folder = folder
        self._children: list[Child] = []
        self.kubeconfig = folder / "kubeconfig"

    def start(self, images: Path) -> None:
        """Starts everything, and imports the images of a `docker save`. Raises ChildFailedError."""
        _separate()
        self._write_files()
        self._start_control_plane()
        self._start("containerd", ["containerd", "--config", f"{self._folder}/containerd.toml"], _has_containerd)
        ctr = ["ctr", "--address=/run/containerd.sock", "--namespace=k8s.io", "images", "import", str(images)]
        subprocess.run(ctr, check=True, capture_output=True)  # noqa: S603
        self._start_kubelet()
        self._start_ours(
            *("kube-proxy", f"--kubeconfig={self.kubeconfig}", "--hostname-override=node", "--proxy-mode=iptables"),
            *(f"--bind-address={ADDRESS}", f"--cluster-cidr={_PODS}", "--masquerade-all", "--conntrack-max-per-core=0"),
            *("--conntrack-tcp-timeout-established=0", "--conntrack-tcp-timeout-close-wait=0"),
        )

    def stop(self) -> None:
        """Stops all servers. Containers must have been deleted before."""
        for child in reversed(self._children):
            child.stop()

    def _start_control_plane(self) -> None:
        folder = self._folder
        self._start_ours("etcd", f"--data-dir={folder}/etcd", "--unsafe-no-fsync", is_up=_has_etcd)
        self._start_ours(
            *("kube-apiserver", "--etcd-servers=http://127.0.0.1:2379", f"--cert-dir={folder}/certificates"),
            *(f"--secure-port={_API}", f"--advertise-address={ADDRESS}", "--authorization-mode=Node,RBAC"),
            *(f"--token-auth-file={folder}/tokens.csv", f"--service-cluster-ip-range={SERVICES}"),
            *("--endpoint-reconciler-type=none", "--service-account-issuer=https://kubernetes.default.svc"),
            *(f"--service-account-key-file={folder}/sa.key", f"--service-account-signing-key-file={folder}/sa.key"),
            "--kubelet-preferred-address-types=InternalIP",
            is_up=_is_api_ready,
        )
        for name in ("kube-controller-manager", "kube-scheduler"):
            self._start_ours(name, f"--kubeconfig={self.kubeconfig}", "--leader-elect=false")

    def _start_kubelet(self) -> None:
        self._start_ours(
            *("kubelet", f"--kubeconfig={self.kubeconfig}", f"--config={self._folder}/kubelet.json"),
            *(f"--root-dir={self._folder}/kubelet", f"--cert-dir={self._folder}/certificates"),
            *("--hostname-override=node", f"--node-ip={ADDRESS}"),
        )

    def _start_ours(self, name: str, *arguments: str, is_up: Callable[[], bool] | None = None) -> None:
        self._start(name, [str(self._programs / name), *arguments], is_up)

    def _start(self, name: str, command: list[str], is_up: Callable[[], bool] | None) -> None:
        child = start_child(name, command, os.environ, self._folder / f"{name}.log")
        self._children.append(child)
        if is_up is not None:
            wait_ready(child, is_up, "answer", 180)

    def _write_files(self) -> None:
        folder = self._folder
        (folder / "cni").mkdir()
        (folder / "cni" / "pods.conflist").write_text(json.dumps(_CNI))
        (folder / "containerd.toml").write_text(_CONTAINERD.format(folder=folder))
        folders = {"podLogsDir": f"{folder}/pods", "volumePluginDir": f"{folder}/plugins"}
        (folder / "kubelet.json").write_text(json.dumps({**_KUBELET, **folders}))
        (folder / "tokens.csv").write_text(f"{_TOKEN},everybody,1,system:masters\n")
        key = ["openssl", "genrsa", "-out", f"{folder}/sa.key", "2048"]
        subprocess.run(key, check=True, capture_output=True)  # noqa: S603
        cluster = {"server": f"https://127.0.0.1:{_API}", "insecure-skip-tls-verify": True}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "one", "cluster": cluster}],
            "users": [{"name": "one", "user": {"token": _TOKEN}}],
            "contexts": [{"name": "one", "context": {"cluster": "one", "user": "one"}}],
            "current-context": "one",
        }
        self.kubeconfig.write_text(json.dumps(document))
        self.kubeconfig.chmod(0o600)


def _separate() -> None:
    """Gives these namespaces a network with an address, and empty folders where servers leave something behind."""
    commands = [
        *(["mount", "-t", "tmpfs", "tmpfs", folder] for folder in _SCRATCH if Path(folder).is_dir()),
        ["ip", "link", "set", "lo", "up"],
        ["ip", "link", "add", "node0", "type", "veth", "peer", "name", "nowhere"],
        ["ip", "address", "add", f"{ADDRESS}/24", "dev", "node0"],
        ["ip", "link", "set", "node0", "up"],
        ["ip", "link", "set", "nowhere", "up"],
        ["ip", "route", "add", "default", "dev", "node0"],
        ["sysctl", "-qw", "net.ipv4.ip_forward=1"],
    ]
    for command in commands:
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603


def _has_containerd() -> bool:
    command = ["ctr", "--address=/run/containerd.sock", "version"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603


def _has_etcd() -> bool:
    return _answers(http.client.HTTPConnection("127.0.0.1", 2379, timeout=2), "/health")


def _is_api_ready() -> bool:
    context = ssl._create_unverified_context()  # noqa: S323 - it has made its certificate itself
    return _answers(http.client.HTTPSConnection("127.0.0.1", _API, timeout=2, context=context), "/readyz")


def _answers(connection: http.client.HTTPConnection, path: str) -> bool:
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {_TOKEN}"})
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
