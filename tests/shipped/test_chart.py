"""The Helm chart: what it renders is what Kubernetes takes, what the code knows, and nothing that should be secret."""

import copy
import json
import platform
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from pydantic_settings import BaseSettings

from service.runtime.settings import CommonSettings, ConsumerSettings, KafkaSettings, ServiceSettings
from tests.conftest import require_part
from tests.helm import NoHelmError, find_helm

PROJECT = Path(__file__).parents[2]
CHART = PROJECT / "deploy" / "chart"
OLDEST, NEWEST = "1.28.0", "1.37.0"

SECRETS = {"STATS_JWT_SECRET", "STATS_KEYSTONE_PASSWORD", "STATS_KAFKA_SASL_PASSWORD"}
# The chart gives these itself, or has no use for them: a pod is one process.
BY_THE_CHART = {
    *("STATS_HTTP_PORT", "STATS_HTTP_DRAIN_SECONDS", "STATS_HTTP_REUSE_PORT", "STATS_HTTP_OWN_PORT"),
    *("STATS_METRICS_HOST", "STATS_METRICS_PORT"),
}
OF_OPERATORS = {"ScaledObject", "TriggerAuthentication", "PodMonitor", "PrometheusRule"}

Values = dict[str, Any]
Document = dict[str, Any]
Run = Callable[..., "subprocess.CompletedProcess[str]"]

LEAST: Values = {
    "settings": {"STATS_REDIS_URL": "redis://redis:6379/0"},
    "api": {"secrets": {"STATS_JWT_SECRET": {"name": "stats", "key": "jwt"}}},
    "consumers": {"settings": {"STATS_KAFKA_BOOTSTRAP_SERVERS": "kafka:9092"}},
}
EVERYTHING: Values = yaml.safe_load((Path(__file__).parent / "every_value.yaml").read_text())


@pytest.fixture(scope="module")
def helm() -> Run:
    """Runs Helm: `helm("lint", values, *arguments)`."""
    require_part(sys.platform == "linux" and platform.machine() == "x86_64", "Helm for this machine")
    try:
        program = find_helm(PROJECT / ".local" / "helm").helm
    except NoHelmError as error:
        require_part(False, str(error))

    def run(verb: str, values: Mapping[str, Any], *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(program), *verb.split(), str(CHART), "--values=-", *arguments]
        return subprocess.run(  # noqa: S603 - a program of ours
            command, input=json.dumps(values), capture_output=True, text=True, check=False
        )

    return run


@pytest.fixture(scope="module")
def render(helm: Run) -> Callable[[Values], list[Document]]:
    """Returns the documents of `helm template` for values."""

    def documents(values: Values) -> list[Document]:
        done = helm("template stats --namespace=genes", values)
        assert done.returncode == 0, done.stderr
        return [document for document in yaml.safe_load_all(done.stdout) if document]

    return documents


def with_values(values: Values, path: str, value: object) -> Values:
    """Returns a copy of the values with another one at `path`, as in `api/replicas`."""
    changed = copy.deepcopy(values)
    *parents, last = path.split("/")
    inner = changed
    for name in parents:
        inner = inner.setdefault(name, {})
    inner[last] = value
    return changed


def pods(documents: list[Document]) -> dict[str, Document]:
    """Returns the specification of pods of each component."""
    templates = [each["spec"]["template"] for each in documents if each["kind"] in ("Deployment", "Job")]
    return {each["metadata"]["labels"]["app.kubernetes.io/component"]: each["spec"] for each in templates}


@pytest.mark.parametrize("values", [{}, LEAST, EVERYTHING], ids=["none", "least", "everything"])
def test_helm_finds_no_fault(helm: Run, values: Values) -> None:
    done = helm("lint --strict", values)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("values", [LEAST, EVERYTHING], ids=["least", "everything"])
def test_old_and_new_kubernetes_know_every_field(render: Callable[[Values], list[Document]], values: Values) -> None:
    documents = render(values)
    for document in documents:
        if document["kind"] not in OF_OPERATORS:
            kubernetes_validate.validate(document, OLDEST, strict=True)
            kubernetes_validate.validate(document, NEWEST, strict=True)
    assert len(documents) == (15 if values is EVERYTHING else 6)


def test_pods_keep_the_restricted_standard(render: Callable[[Values], list[Document]]) -> None:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted, and more."""
    specifications = pods(render(EVERYTHING))
    assert specifications.keys() == {"api", "consumers", "command"}
    for specification in specifications.values():
        assert specification["securityContext"]["runAsNonRoot"] is True
        assert specification["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert specification["automountServiceAccountToken"] is False
        assert not specification.keys() & {"hostNetwork", "hostPID", "hostIPC"}
        (container,) = specification["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {"cpu", "memory"} <= container["resources"]["requests"].keys()


def test_a_pod_has_longer_to_end_than_the_api_takes(render: Callable[[Values], list[Document]]) -> None:
    """docs/operating.md: ten seconds more than the drain."""
    api = pods(render(with_values(LEAST, "api/drainSeconds", 40)))["api"]
    assert {"name": "STATS_HTTP_DRAIN_SECONDS", "value": "40"} in api["containers"][0]["env"]
    assert api["terminationGracePeriodSeconds"] >= 50


def test_the_schema_names_the_settings_that_the_code_has() -> None:
    def names(model: type[BaseSettings]) -> set[str]:
        return {f"STATS_{name.upper()}" for name in model.model_fields} - BY_THE_CHART

    common = names(CommonSettings)
    schema = json.loads((CHART / "values.schema.json").read_text())["properties"]
    for part, wanted in [
        (schema, common),
        (schema["api"]["properties"], names(ServiceSettings) - common),
        (schema["consumers"]["properties"], names(ConsumerSettings) - common),
    ]:
        assert part["settings"]["properties"].keys() == wanted - SECRETS
        assert part["secrets"]["properties"].keys() == wanted


def test_pods_have_no_variable_that_their_process_does_not_know(render: Callable[[Values], list[Document]]) -> None:
    for component, specification in pods(render(EVERYTHING)).items():
        model: type[BaseSettings] = ServiceSettings if component == "api" else ConsumerSettings
        names = [variable["name"] for variable in specification["containers"][0]["env"]]
        assert len(names) == len(set(names))
        assert set(names) <= {"TZ"} | {f"STATS_{name.upper()}" for name in model.model_fields}


def test_what_is_secret_comes_by_reference(render: Callable[[Values], list[Document]]) -> None:
    documents = render(EVERYTHING)
    assert not [each for each in documents if each["kind"] == "Secret"]
    for component, name in {"api": "KEYSTONE", "consumers": "KAFKA_SASL"}.items():
        variables = {each["name"]: each for each in pods(documents)[component]["containers"][0]["env"]}
        for variable in (variables[f"STATS_{name}_PASSWORD"], variables["STATS_REDIS_URL"]):
            assert variable["valueFrom"]["secretKeyRef"]["name"] == "stats"
            assert "value" not in variable


def test_large_numbers_are_not_written_as_fractions(render: Callable[[Values], list[Document]]) -> None:
    """Helm reads every number as a floating-point one, and would write 2e+06."""
    variables = pods(render(EVERYTHING))["api"]["containers"][0]["env"]
    assert {"name": "STATS_RATE_LIMIT", "value": "2000000"} in variables


def test_the_number_of_pods_is_that_of_the_autoscaler(render: Callable[[Values], list[Document]]) -> None:
    """A number in the Deployment would undo the autoscaler's at each upgrade."""
    documents = render(EVERYTHING)
    assert not [each for each in documents if each["kind"] == "Deployment" and "replicas" in each["spec"]]
    (scaled,) = [each["spec"] for each in documents if each["kind"] == "ScaledObject"]
    assert scaled["maxReplicaCount"] == 12  # the topic's partitions
    (trigger,) = scaled["triggers"]
    assert trigger["metadata"].items() >= {"tls": "enable", "sasl": "scram_sha512", "lagThreshold": "50000"}.items()
    assert trigger["metadata"]["consumerGroup"] == KafkaSettings.model_fields["kafka_group_id"].default
    assert trigger["metadata"]["topic"] == KafkaSettings.model_fields["kafka_topic"].default


def test_the_rules_are_those_of_the_repository() -> None:
    """A chart cannot read outside of its folder. After a change: cp deploy/prometheus/rules.yml deploy/chart/files/"""
    ours = (CHART / "files" / "rules.yml").read_text()
    assert ours == (PROJECT / "deploy" / "prometheus" / "rules.yml").read_text()


def test_rules_and_monitor_agree_on_the_names_of_jobs(render: Callable[[Values], list[Document]]) -> None:
    documents = {each["kind"]: each["spec"] for each in render(EVERYTHING) if "spec" in each}
    assert documents["PrometheusRule"] == yaml.safe_load((CHART / "files" / "rules.yml").read_text())
    endpoints = documents["PodMonitor"]["podMetricsEndpoints"]
    jobs = {each["port"]: each["relabelings"][0]["replacement"] for each in endpoints}
    assert jobs == {"http": "stats-api", "metrics": "stats-consumer"}


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("replica", 1, "'replica'"),
        ("api/replica", 1, "'replica'"),
        ("api/replicas", "two", "/api/replicas"),
        ("api/settings/STATS_HTP_PREFIX", "/", "'STATS_HTP_PREFIX'"),
        ("api/settings/STATS_KAFKA_TOPIC", "events", "'STATS_KAFKA_TOPIC'"),
        ("api/settings/STATS_JWT_SECRET", "x" * 32, "'STATS_JWT_SECRET'"),
        ("api/settings/STATS_HTTP_PORT", 80, "'STATS_HTTP_PORT'"),
        ("api/secrets/STATS_JWT_SECRET", {"name": "stats"}, "'key'"),
        ("api/drainSeconds", 301, "/api/drainSeconds"),
        ("settings/STATS_REDIS_URL", "redis://:password@redis:6379/0", "/settings/STATS_REDIS_URL"),
        ("extraEnv", [{"name": "STATS_LOG_LEVEL", "value": "INFO"}], "/extraEnv/0/name"),
        ("settings", {}, "STATS_REDIS_URL is missing"),
        ("secrets/STATS_REDIS_URL", {"name": "stats", "key": "redis"}, "STATS_REDIS_URL is given twice"),
        ("consumers/settings", {}, "STATS_KAFKA_BOOTSTRAP_SERVERS is missing"),
        ("api/secrets", {}, "give one of api.secrets.STATS_JWT_SECRET and api.settings.STATS_JWT_JWKS_URL"),
        ("api/settings/STATS_JWT_JWKS_URL", "https://keys", "give one of api.secrets.STATS_JWT_SECRET"),
        ("consumers/autoscaling", {"enabled": True, "minReplicas": 13}, "above consumers.partitions"),
    ],
)
def test_wrong_values_are_named(helm: Run, path: str, value: object, said: str) -> None:
    done = helm("template stats", with_values(LEAST, path, value))
    assert done.returncode != 0
    assert said in done.stderr
