"""Reads every setting from environment variables `STATS_*`; each kind of process has a frozen model of its own.

A field's description says which values it allows; the error line about another value ends with it. An empty variable
counts as unset, unless that would let in more than whoever has set it may have meant. Fields that may hold a secret are
`SecretStr`, or stay out of the `repr`.
"""

import os
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from service.runtime.redis_url import OPTIONS, parse_redis_url
from service.runtime.setting_values import (
    CertificateFile,
    FilePath,
    Host,
    HttpUrl,
    KeyPrefix,
    Name,
    Names,
    Origins,
    Port,
    PositiveNumber,
    RedisUrl,
    Servers,
    Share,
    SigningSecret,
    Topic,
    UpperCase,
    UrlPath,
    WholeNumber,
)
from service.runtime.tls import check_key

# The settings that say who may ask, or whose keys these are: a template that leaves one empty must not widen who may
# ask, or count into another installation's keys, silently.
_NEVER_EMPTY = frozenset({"admin_roles", "jwt_audience", "jwt_issuer", "redis_key_prefix"})
_TOPIC_NAME = "1 to 249 of A-Z a-z 0-9 . _ - and neither . nor .. alone"
_CA_FILE = "a file of CA certificates (PEM)"
_WITH_SASL = "required with SASL_PLAINTEXT and SASL_SSL"
_WITH_SSL = "only with STATS_KAFKA_SECURITY_PROTOCOL SSL or SASL_SSL"
_WITH_KEYSTONE = "required with STATS_AUTH=keystone"


class SettingsError(Exception):
    """A process cannot start with its settings; `lines` has one line for each bad setting, without any value."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("; ".join(lines))
        self.lines = lines


class _Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="STATS_", env_ignore_empty=True, frozen=True, extra="ignore", validate_default=True
    )


class CommonSettings(_Settings):
    """The settings that every process has. `redis_url` may hold a password: never log it."""

    redis_url: RedisUrl = Field(
        "redis://localhost:6379/0",
        repr=False,
        description="redis://host:port/database, rediss:// for TLS, redis+sentinel://host:port,host:port/service/database;"
        f" options behind a ? are {', '.join(OPTIONS)}",
    )
    redis_cafile: CertificateFile | None = Field(None, description=f"{_CA_FILE}, with rediss:// in STATS_REDIS_URL")
    redis_cluster: bool = Field(
        False, description="true or false; a cluster has database 0 alone, and is asked without sentinels"
    )
    redis_key_prefix: KeyPrefix | None = Field(
        None, description="1 to 32 of A-Z a-z 0-9 . : _ -, before the name of each key (unset: none)"
    )
    otlp_endpoint: HttpUrl | None = Field(
        None,
        repr=False,
        description="an http:// or https:// URL of a collector of traces (OTLP over HTTP); needs the extra `otel`",
    )
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], UpperCase] = Field(
        "INFO", description="DEBUG, INFO, WARNING, ERROR or CRITICAL"
    )

    @field_validator("redis_cafile")
    @classmethod
    def _only_with_tls(cls, cafile: str | None, info: ValidationInfo) -> str | None:
        if cafile is not None and "redis_url" in info.data:
            tls = parse_redis_url(info.data["redis_url"]).tls
            if tls is None:
                raise ValueError("set, but STATS_REDIS_URL has no rediss://")
            if tls.cafile is not None:
                raise ValueError("set, and STATS_REDIS_URL has ssl_ca_certs as well")
        return cafile

    @field_validator("redis_cluster")
    @classmethod
    def _fits_the_url(cls, cluster: bool, info: ValidationInfo) -> bool:
        if "redis_url" in info.data:
            url = parse_redis_url(info.data["redis_url"])
            if cluster and (url.database or url.service):
                raise ValueError("true, but STATS_REDIS_URL names another database than 0, or sentinels")
            if not cluster and not url.service and len(url.hosts) > 1:
                raise ValueError("false, but STATS_REDIS_URL names several hosts")
        return cluster


class KafkaSettings(_Settings):
    """The settings that say how to reach Kafka, and the names of the topics and of the consumer group."""

    kafka_bootstrap_servers: Servers = Field("localhost:9092", description="host:port, or several with commas between")
    kafka_topic: Topic = Field("gene-job-events", description=_TOPIC_NAME)
    kafka_dead_letter_topic: Topic = Field("gene-job-events.dead-letters", description=_TOPIC_NAME)
    kafka_group_id: str = Field("gene-job-statistics", max_length=249, description="1 to 249 characters")
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL"
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(
        None, description=f"PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512; {_WITH_SASL}"
    )
    kafka_sasl_username: str | None = Field(None, description=f"a name; {_WITH_SASL}")
    kafka_sasl_password: SecretStr | None = Field(None, description=f"a password; {_WITH_SASL}")
    kafka_ssl_cafile: CertificateFile | None = Field(None, description=f"{_CA_FILE}; {_WITH_SSL}")
    kafka_ssl_certfile: CertificateFile | None = Field(
        None, description=f"a file with the client's certificate (PEM); {_WITH_SSL}"
    )
    kafka_ssl_keyfile: FilePath | None = Field(
        None,
        description="a file with the key of STATS_KAFKA_SSL_CERTFILE (PEM, no passphrase), where that does not hold it",
    )

    @field_validator("kafka_dead_letter_topic")
    @classmethod
    def _not_the_topic_of_events(cls, topic: str, info: ValidationInfo) -> str:
        if topic == info.data.get("kafka_topic"):
            raise ValueError("the same as STATS_KAFKA_TOPIC")
        return topic

    @field_validator("kafka_sasl_mechanism", "kafka_sasl_username", "kafka_sasl_password")
    @classmethod
    def _required_with_sasl(cls, value: Any, info: ValidationInfo) -> Any:
        if value is None and info.data.get("kafka_security_protocol", "").startswith("SASL_"):
            raise ValueError("missing")
        return value

    @field_validator("kafka_ssl_cafile", "kafka_ssl_certfile")
    @classmethod
    def _only_with_ssl(cls, path: str | None, info: ValidationInfo) -> str | None:
        if path is not None and not info.data.get("kafka_security_protocol", "SSL").endswith("SSL"):
            raise ValueError("set, but STATS_KAFKA_SECURITY_PROTOCOL is none with TLS")
        return path

    @field_validator("kafka_ssl_keyfile")
    @classmethod
    def _fits_the_certificate(cls, keyfile: str | None, info: ValidationInfo) -> str | None:
        certfile = info.data.get("kafka_ssl_certfile", "")  # "": there is one, and it is bad itself
        if certfile:
            check_key(certfile, keyfile)
        elif certfile is None and keyfile is not None:
            raise ValueError("set, and STATS_KAFKA_SSL_CERTFILE is not")
        return keyfile


class ServiceSettings(CommonSettings):
    """The settings of `python -m service`: where it listens, who may ask, and how often (requests a second)."""

    http_host: Host = Field("127.0.0.1", description="an address or name of this machine")
    http_port: Port = Field(8080, description="0 to 65535 (0: any free port)")
    http_reuse_port: bool = Field(False, description="true or false: several processes share STATS_HTTP_PORT")
    http_own_port: Annotated[Port, Field(ge=1)] | None = Field(
        None, description="1 to 65535: a second port, of this process alone"
    )
    http_prefix: UrlPath | None = Field(None, description="a path such as /statistics")
    http_cors_origins: Annotated[Origins | None, NoDecode] = Field(
        None, description="origins such as https://console.example, with commas between; or *"
    )
    http_drain_seconds: Annotated[WholeNumber, Field(le=300)] = Field(
        1, description="0 to 300: how many seconds requests are still taken after SIGTERM, while not ready"
    )
    auth: Literal["jwt", "keystone"] = Field("jwt", description="jwt or keystone")
    jwt_secret: SigningSecret | None = Field(None, description="the secret of HS256 tokens, 32 bytes or more")
    jwt_jwks_url: HttpUrl | None = Field(
        None,
        repr=False,
        description="an http:// or https:// URL; with STATS_AUTH=jwt exactly one of STATS_JWT_SECRET and"
        " STATS_JWT_JWKS_URL is required",
    )
    jwt_audience: Name | None = Field(None, description="the `aud` that tokens must have, 1 to 255 characters")
    jwt_issuer: Name | None = Field(None, description="the `iss` that tokens must have, 1 to 255 characters")
    keystone_url: HttpUrl | None = Field(None, repr=False, description=f"an http:// or https:// URL; {_WITH_KEYSTONE}")
    keystone_username: str | None = Field(None, description=f"a name; {_WITH_KEYSTONE}")
    keystone_password: SecretStr | None = Field(None, description=f"a password; {_WITH_KEYSTONE}")
    keystone_project: str | None = Field(None, description=f"a name; {_WITH_KEYSTONE}")
    keystone_domain: str | None = Field(None, description=f"a name; {_WITH_KEYSTONE}")
    keystone_cache_seconds: Annotated[WholeNumber, Field(le=300)] = Field(
        60, description="0 to 300: how many seconds an answer of Keystone holds"
    )
    keystone_cafile: CertificateFile | None = Field(None, description=_CA_FILE)
    admin_roles: Annotated[Names, NoDecode] = Field(
        frozenset({"admin", "te_admin"}), description="one name or more, with commas between"
    )
    cache_mib: Annotated[PositiveNumber, Field(ge=16, le=65_536)] = Field(
        256, description="16 to 65536: how many MiB of what was read and answered are remembered"
    )
    rate_limit: WholeNumber = Field(1000, description="requests a second for each caller, a whole number (0: no limit)")

    @field_validator("jwt_jwks_url")
    @classmethod
    def _exactly_one_key(cls, url: str | None, info: ValidationInfo) -> str | None:
        is_judged = info.data.get("auth") == "jwt" and "jwt_secret" in info.data  # one that is bad has its own line
        if is_judged and (url is None) == (info.data["jwt_secret"] is None):
            raise ValueError("neither set" if url is None else "both set")
        return url

    @field_validator("keystone_url", "keystone_username", "keystone_password", "keystone_project", "keystone_domain")
    @classmethod
    def _required_with_keystone(cls, value: Any, info: ValidationInfo) -> Any:
        if value is None and info.data.get("auth") == "keystone":
            raise ValueError("missing")
        return value


class ConsumerSettings(CommonSettings, KafkaSettings):
    """The settings of `python -m consumers`: Redis, Kafka, metrics and health, scrub and retention."""

    metrics_host: Host | None = Field(None, description="an address or name of this machine (unset: all its addresses)")
    metrics_port: Port = Field(9464, description="0 to 65535 (0: any free port)")
    scrub_share: Share = Field(
        0.01, description="0 to 0.5: the share of Redis' time in which consumers audit the store (0: they do not)"
    )
    retention_days: PositiveNumber | None = Field(
        None, description="days, a whole number from 1 on; jobs that started earlier no longer count (unset: all do)"
    )


SettingsModel = TypeVar("SettingsModel", bound=BaseSettings)


def load(model: type[SettingsModel]) -> SettingsModel:
    """Returns the settings of this process from its environment; raises SettingsError with a line for each bad one."""
    problems = {name: "set but empty" for name in model.model_fields if name in _NEVER_EMPTY and _is_empty(name)}
    try:
        settings = model()
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False):
            # The line repeats the words of our own validators alone: pydantic's say less than the description does.
            wrong = problem["ctx"]["error"] if problem["type"] == "value_error" else "not valid"
            problems[str(problem["loc"][0])] = str(wrong)
    if problems:
        fields = model.model_fields
        lines = [
            f"STATS_{name.upper()}: {problems[name]}; allowed: {fields[name].description}"
            for name in fields
            if name in problems
        ]
        raise SettingsError(lines)
    return settings


def _is_empty(name: str) -> bool:
    return any(key.lower() == f"stats_{name}" and not value for key, value in os.environ.items())
