"""The trials: install, roll, upgrade, roll back, scale and drain while questions are asked and events come in."""

import asyncio
import json
import secrets
import time
from collections.abc import Callable
from pathlib import Path

from deploy.local.servers import create_topics
from tests.kubernetes.cluster import BACKING, CHART, NAMESPACE, RELEASE, VALUES, Cluster, CommandFailedError
from tests.kubernetes.load import Load

_BROKER = "10.96.0.20:9092"
_TOPICS = {"gene-job-events": 4, "gene-job-events.dead-letters": 1}
_STEADY_SECONDS = 5.0
_RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


class TrialFailedError(Exception):
    """Says what a trial has found wrong."""


async def run_trials(cluster: Cluster, jars: Path) -> None:
    """Runs all trials one after the other, and prints what each has found. Raises TrialFailedError."""
    await _prepare(cluster, jars)
    _say("kubectl apply --dry-run=server", _dry_run(cluster))
    secret = secrets.token_urlsafe(48)
    literal = f"--from-literal=jwt-secret={secret}"
    cluster.kubectl("create", "secret", "generic", "stats", literal, f"--namespace={NAMESPACE}")
    cluster.upgrade()
    _say("helm upgrade --install --wait", f"{len(cluster.pods())} pods are ready")
    load = Load(f"http://{cluster.service_address()}", _BROKER, secret)
    await load.start()
    try:
        for name, step in _STEPS.items():
            load.begin_part()
            said = await asyncio.to_thread(step, cluster)
            failures = load.answers.failures
            _say(name, f"{said}{load.answers}")
            if failures:
                raise TrialFailedError(f"{name}: {len(failures)} requests failed, one with {failures[0]}")
    finally:
        await load.stop()
    wrong = await load.wrong_projects()
    if wrong:
        raise TrialFailedError(f"the answers of {wrong} are not those of the {len(load.published)} events")
    _say("all of them", f"{load.total}; {len(load.published)} events, all counted")
    _say("verify, in a pod and as a Job", _verify(cluster))


async def _prepare(cluster: Cluster, jars: Path) -> None:
    """Waits for the node, and starts what the chart needs."""
    cluster.kubectl("wait", "--for=create", "node/node", "--timeout=2m")
    cluster.kubectl("wait", "--for=condition=Ready", "node/node", "--timeout=2m")
    for name, labels in {BACKING: {}, NAMESPACE: _RESTRICTED}.items():
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
        cluster.kubectl("create", "--filename=-", document=json.dumps(namespace))
        cluster.kubectl("wait", "--for=create", "serviceaccount/default", f"--namespace={name}", "--timeout=1m")
    document = (Path(__file__).parent / "backing.yaml").read_text().replace("JARS", str(jars))
    cluster.kubectl("create", "--filename=-", document=document)
    cluster.kubectl("wait", "--for=condition=Ready", "pod", "--all", f"--namespace={BACKING}", "--timeout=2m")
    await create_topics(_BROKER, _TOPICS)


def _dry_run(cluster: Cluster) -> str:
    """Has the API server judge everything that the chart can render, but for what operators define."""
    every = CHART.parents[1] / "tests" / "shipped" / "every_value.yaml"
    without = ["metrics.podMonitor", "metrics.prometheusRule", "consumers.autoscaling"]
    switches = [f"--set={name}.enabled=false" for name in without]
    judged = []
    for values in ([f"--values={VALUES}"], [f"--values={every}", *switches]):
        rendered = cluster.helm("template", RELEASE, str(CHART), *values)
        said = cluster.kubectl(
            *("apply", "--dry-run=server", "--validate=strict", "--filename=-", f"--namespace={NAMESPACE}"),
            document=rendered,
        )
        judged.append(f"{len(said.splitlines())} objects")
    return " and ".join(judged)


def _wait(_cluster: Cluster) -> str:
    time.sleep(_STEADY_SECONDS)
    return ""


def _roll_all(cluster: Cluster) -> str:
    """Starts the pods of both Deployments anew at the same time."""
    before = {pod["metadata"]["name"] for pod in cluster.pods()}
    for component in ("api", "consumers"):
        cluster.restart(component)
    for component in ("api", "consumers"):
        cluster.await_rollout(component)
    after = {pod["metadata"]["name"] for pod in cluster.pods()}
    if before & after or len(after) != len(before):
        raise TrialFailedError(f"of the pods {before} there are now {after}")
    return ""


def _upgrade(cluster: Cluster) -> str:
    cluster.upgrade("--set=settings.STATS_LOG_LEVEL=WARNING")
    _require_log_level(cluster, "WARNING")
    return ""


def _roll_back(cluster: Cluster) -> str:
    cluster.helm("rollback", RELEASE, "--wait", "--timeout=5m")
    _require_log_level(cluster, None)
    return ""


def _scale(cluster: Cluster) -> str:
    cluster.upgrade("--set=api.replicas=3", "--set=consumers.replicas=4")
    cluster.upgrade()
    return ""


def _drain(cluster: Cluster) -> str:
    """Drains the only node: one pod of each kind may go, and none after it, as its successor has no node."""
    selector = f"--pod-selector=app.kubernetes.io/instance={RELEASE}"
    before = {pod["metadata"]["name"] for pod in cluster.pods()}
    try:
        cluster.kubectl("drain", "node", selector, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=20s")
    except CommandFailedError as refused:
        if "global timeout reached" not in str(refused):
            raise
    else:
        raise TrialFailedError("the budgets have not kept the drain from evicting every pod")
    stayed = [pod for pod in cluster.pods() if pod["metadata"]["name"] in before]
    kinds = sorted(pod["metadata"]["labels"]["app.kubernetes.io/component"] for pod in stayed)
    if kinds != ["api", "consumers"]:
        raise TrialFailedError(f"after the drain there are {kinds}")
    cluster.kubectl("uncordon", "node")
    for component in ("api", "consumers"):
        cluster.await_rollout(component)
    return "one pod of each was evicted, one of each stayed; "


def _verify(cluster: Cluster) -> str:
    """Runs a command in a pod of the consumers, and the same by the chart's Job."""
    deployment = f"deployment/{RELEASE}-gene-statistics-consumers"
    command = ("python", "-m", "consumers", "verify")
    said = cluster.kubectl("exec", deployment, f"--namespace={NAMESPACE}", "--", *command)
    values = [f"--values={VALUES}", "--set=command.enabled=true", "--set=command.arguments={verify,--repair}"]
    job = cluster.helm("template", RELEASE, str(CHART), *values, "--show-only=templates/command.yaml")
    cluster.kubectl("create", "--filename=-", f"--namespace={NAMESPACE}", document=job)
    name = f"job/{RELEASE}-gene-statistics-verify"
    cluster.kubectl("wait", "--for=condition=Complete", name, f"--namespace={NAMESPACE}", "--timeout=5m")
    said_again = cluster.kubectl("logs", name, f"--namespace={NAMESPACE}")
    cluster.kubectl("delete", name, f"--namespace={NAMESPACE}")
    last, last_again = said.strip().splitlines()[-1], said_again.strip().splitlines()[-1]
    if last != last_again or "drifted keys: 0" not in last:
        raise TrialFailedError(f"verify says {last}, and as a Job {last_again}")
    return last


_STEPS: dict[str, Callable[[Cluster], str]] = {
    "nothing changes": _wait,
    "kubectl rollout restart, both": _roll_all,
    "helm upgrade": _upgrade,
    "helm rollback": _roll_back,
    "scaled to 3 and 4, and back": _scale,
    "kubectl drain": _drain,
}


def _require_log_level(cluster: Cluster, wanted: str | None) -> None:
    for pod in cluster.pods():
        variables = {each["name"]: each.get("value") for each in pod["spec"]["containers"][0]["env"]}
        if variables.get("STATS_LOG_LEVEL") != wanted:
            raise TrialFailedError(f"{pod['metadata']['name']} has not the settings of its release")


def _say(name: str, what: str) -> None:
    print(f"{name + ':':32}{what}", flush=True)
