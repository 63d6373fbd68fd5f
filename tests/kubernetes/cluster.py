"""kubectl and Helm on the cluster of the trials."""

import json
import os
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.helm import HelmPrograms

CHART = Path(__file__).parents[2] / "deploy" / "chart"
VALUES = Path(__file__).parent / "values.yaml"
RELEASE, NAMESPACE = "stats", "genes"
BACKING = "backing"  # the namespace of Kafka and Redis


class CommandFailedError(Exception):
    """Says what a command answered on its standard error."""


class Cluster:
    """Runs kubectl and Helm. Each method raises CommandFailedError."""

    def __init__(self, programs: HelmPrograms, kubeconfig: Path, home: Path) -> None:
        self._programs = programs
        self._environment = {**os.environ, "KUBECONFIG": str(kubeconfig), "HOME": str(home)}

    def kubectl(self, *arguments: str, document: str | None = None) -> str:
        """Returns the standard output of kubectl, whose standard input is `document`."""
        return self._run([str(self._programs.kubectl), *arguments], document)

    def helm(self, *arguments: str) -> str:
        """Returns the standard output of Helm in the namespace of the trials."""
        return self._run([str(self._programs.helm), *arguments, f"--namespace={NAMESPACE}"], None)

    def upgrade(self, *arguments: str) -> None:
        """Installs or upgrades the release, and waits until all of its pods are ready."""
        values = [f"--values={VALUES}", "--wait", "--timeout=5m"]
        self.helm("upgrade", "--install", RELEASE, str(CHART), *values, *arguments)

    def restart(self, component: str) -> None:
        """Has all pods of a component started anew, one after the other."""
        self.kubectl("rollout", "restart", self._deployment(component), f"--namespace={NAMESPACE}")

    def await_rollout(self, component: str) -> None:
        """Waits until the pods of a component are as they should be, and ready."""
        self.kubectl("rollout", "status", self._deployment(component), f"--namespace={NAMESPACE}", "--timeout=5m")

    def pods(self) -> list[dict[str, Any]]:
        """Returns the release's pods that are not ending."""
        listed = json.loads(self.kubectl("get", "pods", f"--namespace={NAMESPACE}", "--output=json"))["items"]
        return [pod for pod in listed if "deletionTimestamp" not in pod["metadata"]]

    def service_address(self) -> str:
        """Returns the address of the API's Service."""
        name = f"service/{RELEASE}-gene-statistics-api"
        return self.kubectl("get", name, f"--namespace={NAMESPACE}", "--output=jsonpath={.spec.clusterIP}")

    def print_state(self) -> None:
        """Prints what somebody needs who looks for the cause of a failure."""
        for question in (["get", "pods", "--output=wide"], ["get", "events", "--sort-by=.lastTimestamp"]):
            with suppress(CommandFailedError):
                print("\n".join(self.kubectl(*question, "--all-namespaces").splitlines()[-40:]))

    def delete_pods(self) -> None:
        """Deletes all pods, and waits until their containers are gone."""
        with suppress(CommandFailedError):
            self.kubectl("delete", "namespace", NAMESPACE, BACKING, "--ignore-not-found", "--timeout=2m")

    @staticmethod
    def _deployment(component: str) -> str:
        return f"deployment/{RELEASE}-gene-statistics-{component}"

    def _run(self, command: list[str], document: str | None) -> str:
        done = subprocess.run(  # noqa: S603 - programs of ours
            command, env=self._environment, input=document, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise CommandFailedError(f"{' '.join(command)}: {done.stderr.strip()[-800:]}")
        return done.stdout
