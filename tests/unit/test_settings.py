"""Settings: defaults, bounds, and errors that say all and no secret."""

import os
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from service.runtime.redis_url import parse_redis_url
from service.runtime.settings import (
    CommonSettings,
    ConsumerSettings,
    KafkaSettings,
    ServiceSettings,
    SettingsError,
    load,
)
from service.runtime.tls import Tls
from tests.certificates import Authority

JWT = {"STATS_JWT_SECRET": "s3cr3t of 32 bytes or more, as it must be"}
KEYSTONE = {
    "STATS_AUTH": "keystone",
    "STATS_KEYSTONE_URL": "https://id.example:5000/v3",
    "STATS_KEYSTONE_USERNAME": "stats",
    "STATS_KEYSTONE_PASSWORD": "s3cr3t",
    "STATS_KEYSTONE_PROJECT": "service",
    "STATS_KEYSTONE_DOMAIN": "Default",
}
SASL = {
    "STATS_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
    "STATS_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
    "STATS_KAFKA_SASL_USERNAME": "stats",
    "STATS_KAFKA_SASL_PASSWORD": "s3cr3t",
}


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting comes from the machine the tests run on."""
    for name in [name for name in os.environ if name.upper().startswith("STATS_")]:
        monkeypatch.delenv(name)


def loaded(monkeypatch: pytest.MonkeyPatch, model: type[Any], variables: dict[str, str]) -> Any:
    """The settings in an environment of just these variables."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return load(model)


def refused(monkeypatch: pytest.MonkeyPatch, model: type[Any], variables: dict[str, str]) -> list[str]:
    """The lines of the error that these variables make."""
    with pytest.raises(SettingsError) as raised:
        loaded(monkeypatch, model, variables)
    return raised.value.lines


def test_defaults_of_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """With only a secret set, every other setting of the service has the contract's default."""
    settings = loaded(monkeypatch, ServiceSettings, JWT)
    assert settings.model_dump(exclude={"jwt_secret"}) == {
        "redis_url": "redis://localhost:6379/0",
        "redis_cafile": None,
        "redis_cluster": False,
        "redis_key_prefix": None,
        "otlp_endpoint": None,
        "log_level": "INFO",
        "http_host": "127.0.0.1",
        "http_port": 8080,
        "http_reuse_port": False,
        "http_own_port": None,
        "http_prefix": None,
        "http_cors_origins": None,
        "http_drain_seconds": 1,
        "auth": "jwt",
        "jwt_jwks_url": None,
        "jwt_audience": None,
        "jwt_issuer": None,
        "keystone_url": None,
        "keystone_username": None,
        "keystone_password": None,
        "keystone_project": None,
        "keystone_domain": None,
        "keystone_cache_seconds": 60,
        "keystone_cafile": None,
        "admin_roles": frozenset({"admin", "te_admin"}),
        "cache_mib": 256,
        "rate_limit": 1000,
    }
    assert settings.jwt_secret.get_secret_value() == JWT["STATS_JWT_SECRET"]


def test_consumer_needs_no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A consumer starts with nothing set, not even a token's secret."""
    assert loaded(monkeypatch, ConsumerSettings, {}).model_dump() == {
        "redis_url": "redis://localhost:6379/0",
        "redis_cafile": None,
        "redis_cluster": False,
        "redis_key_prefix": None,
        "otlp_endpoint": None,
        "log_level": "INFO",
        "kafka_bootstrap_servers": "localhost:9092",
        "kafka_topic": "gene-job-events",
        "kafka_dead_letter_topic": "gene-job-events.dead-letters",
        "kafka_group_id": "gene-job-statistics",
        "kafka_security_protocol": "PLAINTEXT",
        "kafka_sasl_mechanism": None,
        "kafka_sasl_username": None,
        "kafka_sasl_password": None,
        "kafka_ssl_cafile": None,
        "kafka_ssl_certfile": None,
        "kafka_ssl_keyfile": None,
        "metrics_host": None,
        "metrics_port": 9464,
        "scrub_share": 0.01,
        "retention_days": None,
    }


GOOD: list[tuple[type[Any], dict[str, str], str, object]] = [
    (
        CommonSettings,
        {"STATS_REDIS_URL": "rediss://u:p%40@[::1]:6380/15"},
        "redis_url",
        "rediss://u:p%40@[::1]:6380/15",
    ),
    (CommonSettings, {"STATS_REDIS_URL": "redis://h"}, "redis_url", "redis://h"),
    *(
        (CommonSettings, {"STATS_REDIS_URL": url}, "redis_url", url)
        for url in (
            "redis+sentinel://u:p@a:1,[::1],b_c/name/0",
            "rediss+sentinel://a/n.a-m_e",
            "redis://u%2F:p%3f@p@h/",
            "rediss://h?ssl_check_hostname=false&ssl_cert_reqs=required",
            "rediss://h?",
        )
    ),
    (
        CommonSettings,
        {"STATS_REDIS_CLUSTER": "true", "STATS_REDIS_URL": "redis://a:1,b:2/0"},
        "redis_url",
        "redis://a:1,b:2/0",
    ),
    (CommonSettings, {"STATS_REDIS_CLUSTER": "true"}, "redis_cluster", True),
    (CommonSettings, {"STATS_REDIS_KEY_PREFIX": "aZ09.:_-" * 4}, "redis_key_prefix", "aZ09.:_-" * 4),
    (CommonSettings, {"STATS_REDIS_CLUSTER": "1", "STATS_REDIS_URL": "redis://h:1"}, "redis_cluster", True),
    (CommonSettings, {"STATS_LOG_LEVEL": "debug"}, "log_level", "DEBUG"),
    (CommonSettings, {"STATS_LOG_LEVEL": ""}, "log_level", "INFO"),
    (KafkaSettings, {"STATS_KAFKA_BOOTSTRAP_SERVERS": "a:1, [::1]:2"}, "kafka_bootstrap_servers", "a:1, [::1]:2"),
    (KafkaSettings, {"STATS_KAFKA_TOPIC": "A._-9" * 49}, "kafka_topic", "A._-9" * 49),
    (KafkaSettings, SASL, "kafka_sasl_mechanism", "SCRAM-SHA-512"),
    (ConsumerSettings, {"STATS_METRICS_PORT": "0"}, "metrics_port", 0),
    (ConsumerSettings, {"STATS_SCRUB_SHARE": "0"}, "scrub_share", 0.0),
    (ConsumerSettings, {"STATS_SCRUB_SHARE": "0.05"}, "scrub_share", 0.05),
    (ConsumerSettings, {"STATS_RETENTION_DAYS": "1"}, "retention_days", 1),
    (ConsumerSettings, {"STATS_RETENTION_DAYS": ""}, "retention_days", None),
    (ServiceSettings, {**JWT, "STATS_HTTP_PORT": "65535"}, "http_port", 65535),
    (ServiceSettings, {**JWT, "STATS_HTTP_REUSE_PORT": "true"}, "http_reuse_port", True),
    (ServiceSettings, {**JWT, "STATS_HTTP_OWN_PORT": "1"}, "http_own_port", 1),
    (ServiceSettings, {**JWT, "STATS_JWT_AUDIENCE": "statistics"}, "jwt_audience", "statistics"),
    (ServiceSettings, {**JWT, "STATS_JWT_ISSUER": "https://id.example"}, "jwt_issuer", "https://id.example"),
    (ServiceSettings, {**JWT, "STATS_CACHE_MIB": "16"}, "cache_mib", 16),
    (ServiceSettings, {**JWT, "STATS_RATE_LIMIT": "0"}, "rate_limit", 0),
    (ServiceSettings, {**JWT, "STATS_ADMIN_ROLES": " a ,,b b,"}, "admin_roles", frozenset({"a", "b b"})),
    (ServiceSettings, {"STATS_JWT_SECRET": "", "STATS_JWT_JWKS_URL": "https://h/j"}, "jwt_jwks_url", "https://h/j"),
    (ServiceSettings, {**JWT, "STATS_HTTP_PREFIX": "/a/b.c"}, "http_prefix", "/a/b.c"),
    (
        ServiceSettings,
        {
            **JWT,
            "STATS_HTTP_CORS_ORIGINS": "https://a.example, http://[::1]:3000, http://xn--fiq.example:443, https://127.0.0.1",
        },
        "http_cors_origins",
        frozenset({"https://a.example", "http://[::1]:3000", "http://xn--fiq.example:443", "https://127.0.0.1"}),
    ),
    (ServiceSettings, {**JWT, "STATS_HTTP_CORS_ORIGINS": "*"}, "http_cors_origins", frozenset({"*"})),
    (ServiceSettings, KEYSTONE, "keystone_url", "https://id.example:5000/v3"),
    (ConsumerSettings, {"STATS_OTLP_ENDPOINT": "http://collector:4318"}, "otlp_endpoint", "http://collector:4318"),
]


@pytest.mark.parametrize(("model", "variables", "name", "value"), GOOD)
def test_good_value_is_taken(
    monkeypatch: pytest.MonkeyPatch, model: type[Any], variables: dict[str, str], name: str, value: object
) -> None:
    """Values at the edge of what is allowed; an empty variable counts as unset."""
    assert getattr(loaded(monkeypatch, model, variables), name) == value


_OPTIONS = [
    *("foo=1", "decode_responses=1", "max_connections=1", "protocol=3", "socket_timeout=1", "db=1", "SSL_CERTFILE=x"),
    *("ssl_cert_reqs=maybe", "ssl_check_hostname=0", "ssl_certfile", "ssl_certfile=", "ssl_ca_certs=/no/such/file"),
    *("ssl_keyfile=/dev/null", "ssl_cert_reqs=none&ssl_cert_reqs=none", "=", "%66oo=1"),
]
_PORTS = ["-1", "65536", "+1", "1.0", "1_0", " 80", "port", "٣", "9" * 5000]
_PATHS = ["statistics", "/", "/a/", "//a", "/a b", "/../a", "/a?b", "/é"]
_ORIGINS = ["example", "https://a/", "https://a/b", "https://u:p@a", "https://A.example", "*,https://a", "ftp://a", ","]
_UNSENT_ORIGINS = [
    *("https://a:443", "http://a:80", "https://a:0443", "https://a:", "https://中.example", "https://a%41"),
    *("http://127.1", "http://0x7f.1", "http://[0:0:0:0:0:0:0:1]:81", "http://[fe80::1%25a]", "http://a..b"),
]
_TOPICS = ["a b", "a/b", "é", ".", "..", "a" * 250, "a\n"]
BAD: list[tuple[type[Any], str, list[str]]] = [
    (CommonSettings, "STATS_REDIS_URL", ["localhost", "http://h", "unix:///s", "REDIS://h", "redis://", "redis:///0"]),
    (
        CommonSettings,
        "STATS_REDIS_URL",
        ["redis://h:x", "redis://h:0", "redis://h:65536", "redis://h/x", "redis://h/-1"],
    ),
    (CommonSettings, "STATS_REDIS_URL", ["redis://h/0/1", "redis://[h", "redis://h h", "redis://h/0\n"]),
    (CommonSettings, "STATS_REDIS_URL", [f"rediss://h?{option}" for option in _OPTIONS]),
    (
        CommonSettings,
        "STATS_REDIS_URL",
        ["redis://h?ssl_cert_reqs=none", "redis://h#0", "redis://a?b@h", "redis://u:p/w@h"],
    ),
    (CommonSettings, "STATS_REDIS_URL", ["redis+sentinel://h", "redis+sentinel://h/0/0/0", "redis+sentinel://h,/n/0"]),
    (CommonSettings, "STATS_REDIS_CLUSTER", ["maybe", "2"]),
    (CommonSettings, "STATS_REDIS_KEY_PREFIX", ["", " ", "a" * 33, "{a}", "a*", "a?", "[a]", "a\\", "a b", "é", "a\n"]),
    (CommonSettings, "STATS_LOG_LEVEL", ["LOUD", "10"]),
    (
        KafkaSettings,
        "STATS_KAFKA_BOOTSTRAP_SERVERS",
        ["h", "h:", ":1", "h:0", "h:65536", "a:1,", "a:1;b:2", "http://h:1"],
    ),
    (KafkaSettings, "STATS_KAFKA_TOPIC", _TOPICS),
    (KafkaSettings, "STATS_KAFKA_DEAD_LETTER_TOPIC", [*_TOPICS, "gene-job-events"]),
    (KafkaSettings, "STATS_KAFKA_GROUP_ID", ["g" * 250]),
    (KafkaSettings, "STATS_KAFKA_SECURITY_PROTOCOL", ["ssl", "TLS"]),
    (KafkaSettings, "STATS_KAFKA_SASL_MECHANISM", ["GSSAPI", "plain"]),
    (KafkaSettings, "STATS_KAFKA_SSL_CAFILE", ["/no/such/file", "/"]),
    (ServiceSettings, "STATS_KEYSTONE_CAFILE", ["/no/such/file", "/", __file__]),
    (ConsumerSettings, "STATS_METRICS_PORT", _PORTS),
    (ConsumerSettings, "STATS_SCRUB_SHARE", ["0.6", "1", "-0.1", "1%", "nan", "1e-2", ".1"]),
    (ConsumerSettings, "STATS_RETENTION_DAYS", ["0", "-1", "1.5", "1d", "for ever"]),
    (ServiceSettings, "STATS_HTTP_PORT", _PORTS),
    (ServiceSettings, "STATS_HTTP_OWN_PORT", ["0", *_PORTS]),
    (ServiceSettings, "STATS_HTTP_REUSE_PORT", ["2", "many"]),
    (ServiceSettings, "STATS_HTTP_HOST", ["a b", "a..b", "a" * 64]),
    (ConsumerSettings, "STATS_METRICS_HOST", ["a b", "a..b"]),
    (ServiceSettings, "STATS_HTTP_PREFIX", _PATHS),
    (ServiceSettings, "STATS_HTTP_CORS_ORIGINS", [*_ORIGINS, *_UNSENT_ORIGINS]),
    (ServiceSettings, "STATS_HTTP_DRAIN_SECONDS", ["-1", "301", "1.5"]),
    (ServiceSettings, "STATS_CACHE_MIB", ["0", "15", "65537", "-1", "64.5", "64M"]),
    (ServiceSettings, "STATS_RATE_LIMIT", ["-1", "1.5", "1e3", "1_000", "many"]),
    (ServiceSettings, "STATS_ADMIN_ROLES", [",", " , ", ""]),
    (ServiceSettings, "STATS_JWT_AUDIENCE", ["", "  ", " a", "a\t"]),
    (ServiceSettings, "STATS_JWT_ISSUER", ["", "  "]),
    (ServiceSettings, "STATS_AUTH", ["none", "JWT"]),
    (ServiceSettings, "STATS_JWT_SECRET", ["s", "s" * 31, "测" * 10]),
    (ServiceSettings, "STATS_JWT_AUDIENCE", ["a" * 256]),
    (ServiceSettings, "STATS_JWT_ISSUER", ["i" * 256]),
]


@pytest.mark.parametrize(
    ("model", "name", "value"), [(model, name, value) for model, name, values in BAD for value in values]
)
def test_bad_value_is_named_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch, model: type[Any], name: str, value: str
) -> None:
    """A bad value is one line that names its variable and what is allowed."""
    (line,) = refused(monkeypatch, model, {**JWT, name: value})
    assert line.startswith(f"{name}: ")
    assert "; allowed: " in line


def test_all_errors_come_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every bad variable has its line, also those that are bad only beside another."""
    variables = {"STATS_HTTP_PORT": "x", "STATS_RATE_LIMIT": "x", "STATS_REDIS_URL": "x"}
    lines = refused(monkeypatch, ServiceSettings, variables)
    assert [line.split(":")[0] for line in lines] == [
        "STATS_REDIS_URL",
        "STATS_HTTP_PORT",
        "STATS_JWT_JWKS_URL",
        "STATS_RATE_LIMIT",
    ]


@pytest.mark.parametrize("both", [False, True])
def test_jwt_needs_exactly_one_key(monkeypatch: pytest.MonkeyPatch, both: bool) -> None:
    """Neither a secret nor a JWKS, or both, is an error that names both variables."""
    variables = {**JWT, "STATS_JWT_JWKS_URL": "https://h/j"} if both else {}
    (line,) = refused(monkeypatch, ServiceSettings, variables)
    assert "STATS_JWT_SECRET" in line
    assert "STATS_JWT_JWKS_URL" in line


@pytest.mark.parametrize("missing", sorted(set(KEYSTONE) - {"STATS_AUTH"}))
def test_keystone_needs_all_of_its_settings(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    """With keystone each of its settings is required; with jwt none is."""
    variables = {name: value for name, value in KEYSTONE.items() if name != missing}
    (line,) = refused(monkeypatch, ServiceSettings, variables)
    assert line.startswith(f"{missing}: missing")


@pytest.mark.parametrize("missing", sorted(set(SASL) - {"STATS_KAFKA_SECURITY_PROTOCOL"}))
def test_sasl_needs_all_of_its_settings(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    """With a SASL protocol, mechanism, username and password are required."""
    variables = {name: value for name, value in SASL.items() if name != missing}
    (line,) = refused(monkeypatch, ConsumerSettings, variables)
    assert line.startswith(f"{missing}: missing")


@pytest.mark.parametrize(
    ("cluster", "url"), [("true", "redis://h:1/3"), ("true", "redis+sentinel://h/n"), ("false", "redis://a,b/0")]
)
def test_cluster_fits_the_url(monkeypatch: pytest.MonkeyPatch, cluster: str, url: str) -> None:
    """A cluster has one database and no sentinels; without one several hosts say nothing."""
    variables = {"STATS_REDIS_CLUSTER": cluster, "STATS_REDIS_URL": url}
    (line,) = refused(monkeypatch, CommonSettings, variables)
    assert line.startswith("STATS_REDIS_CLUSTER: ")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Certificates and keys that fit, and files that do not, by name."""
    folder = tmp_path_factory.mktemp("files")
    authority = Authority(folder)
    ours, others = authority.issue("ours"), authority.issue("others")
    (folder / "junk").write_text("no PEM")
    key = load_pem_private_key(ours.keyfile.read_bytes(), None)
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"s3cr3t"))
    (folder / "secret").write_bytes(secret)
    return {
        "ca": str(authority.cafile),
        "cert": str(ours.certfile),
        "key": str(ours.keyfile),
        "both": str(ours.both),
        "other key": str(others.keyfile),
        "secret key": str(folder / "secret"),
        "junk": str(folder / "junk"),
        "none": str(folder / "none"),
    }


KAFKA_FILES = [
    ({}, None),
    ({"CAFILE": "ca"}, None),
    ({"CAFILE": "ca", "CERTFILE": "cert", "KEYFILE": "key"}, None),
    ({"CERTFILE": "both"}, None),
    ({"CAFILE": "junk"}, "CAFILE: no certificate in it"),
    ({"CAFILE": "key"}, "CAFILE: no certificate in it"),
    ({"CAFILE": "none"}, "CAFILE: no such file"),
    ({"CERTFILE": "junk", "KEYFILE": "key"}, "CERTFILE: no certificate in it"),
    ({"CERTFILE": "cert"}, "KEYFILE: no private key in it"),
    ({"CERTFILE": "cert", "KEYFILE": "junk"}, "KEYFILE: no private key in it"),
    ({"CERTFILE": "cert", "KEYFILE": "other key"}, "KEYFILE: not the key of the certificate"),
    ({"CERTFILE": "cert", "KEYFILE": "secret key"}, "KEYFILE: its key has a passphrase"),
    ({"KEYFILE": "key"}, "KEYFILE: set, and STATS_KAFKA_SSL_CERTFILE is not"),
]


@pytest.mark.parametrize(("names", "said"), KAFKA_FILES)
def test_files_of_kafka_fit_each_other(
    monkeypatch: pytest.MonkeyPatch, files: dict[str, str], names: dict[str, str], said: str | None
) -> None:
    """One line names the setting whose file is wrong; nothing of a file is in it."""
    variables = {f"STATS_KAFKA_SSL_{name}": files[file] for name, file in names.items()}
    variables["STATS_KAFKA_SECURITY_PROTOCOL"] = "SSL"
    if said is None:
        loaded(monkeypatch, KafkaSettings, variables)
    else:
        (line,) = refused(monkeypatch, KafkaSettings, variables)
        assert line.startswith(f"STATS_KAFKA_SSL_{said}")


@pytest.mark.parametrize(("setting", "file"), [("CAFILE", "ca"), ("CERTFILE", "both")])
def test_files_of_tls_need_tls(monkeypatch: pytest.MonkeyPatch, files: dict[str, str], setting: str, file: str) -> None:
    """Whoever names such a file believes that the connection is safe."""
    (line,) = refused(monkeypatch, KafkaSettings, {f"STATS_KAFKA_SSL_{setting}": files[file]})
    assert line.startswith(f"STATS_KAFKA_SSL_{setting}: set, but STATS_KAFKA_SECURITY_PROTOCOL is none with TLS")


REDIS_FILES = [
    ("rediss://h", "ca", None),
    ("rediss://h?ssl_certfile={cert}&ssl_keyfile={key}", "ca", None),
    ("rediss://h?ssl_certfile={both}&ssl_ca_certs={ca}", "", None),
    ("rediss://h", "junk", "STATS_REDIS_CAFILE: no certificate in it"),
    ("redis://h", "ca", "STATS_REDIS_CAFILE: set, but STATS_REDIS_URL has no rediss://"),
    ("rediss://h?ssl_ca_certs={ca}", "ca", "STATS_REDIS_CAFILE: set, and STATS_REDIS_URL has ssl_ca_certs as well"),
    ("rediss://h?ssl_ca_certs={junk}", "", "STATS_REDIS_URL: ssl_ca_certs: no certificate in it"),
    ("rediss://h?ssl_certfile={cert}", "", "STATS_REDIS_URL: ssl_certfile: no private key in it"),
    ("rediss://h?ssl_certfile={none}", "", "STATS_REDIS_URL: ssl_certfile: cannot be read"),
    ("rediss://h?ssl_keyfile={key}", "", "STATS_REDIS_URL: ssl_keyfile, and no ssl_certfile"),
    (
        "rediss://h?ssl_certfile={cert}&ssl_keyfile={other key}",
        "",
        "STATS_REDIS_URL: ssl_keyfile: not the key of the certificate",
    ),
]


@pytest.mark.parametrize(("url", "cafile", "said"), REDIS_FILES)
def test_files_of_redis_fit_each_other(
    monkeypatch: pytest.MonkeyPatch, files: dict[str, str], url: str, cafile: str, said: str | None
) -> None:
    """One line names the setting, and the option of the URL."""
    variables = {"STATS_REDIS_URL": url.format(**files), "STATS_REDIS_CAFILE": files.get(cafile, "")}
    if said is None:
        loaded(monkeypatch, CommonSettings, variables)
    else:
        (line,) = refused(monkeypatch, CommonSettings, variables)
        assert line.startswith(said)


def test_an_option_that_is_not_taken_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name of an option is no secret where it looks like one."""
    (line,) = refused(monkeypatch, CommonSettings, {"STATS_REDIS_URL": "redis://h/0?decode_responses=True"})
    assert line.startswith("STATS_REDIS_URL: its option decode_responses is none that is taken; allowed: ")


def test_parts_of_a_url() -> None:
    """Each part is where the client looks for it."""
    url = parse_redis_url("rediss+sentinel://us%2Fer:p%40ss@a:1,[::1],c/name/7?ssl_cert_reqs=none&ssl_certfile=/a%20b")
    assert url.hosts == (("a", 1), ("::1", 26379), ("c", 26379))
    assert (url.service, url.username, url.password, url.database) == ("name", "us/er", "p@ss", 7)
    assert url.tls == Tls(certfile="/a b", checks_certificate=False)
    assert "p@ss" not in repr(url)
    plain = parse_redis_url("redis://:p@h")
    assert (plain.hosts, plain.username, plain.password, plain.tls) == ((("h", 6379),), None, "p", None)


@pytest.mark.parametrize(
    "variables",
    [
        {"STATS_REDIS_URL": "http://user:s3cr3t@h"},
        {"STATS_REDIS_URL": "redis://user:s3cr3t/s3cr3t@h"},
        {"STATS_REDIS_URL": "redis://user:s3cr3t@[h"},
        {"STATS_REDIS_URL": "redis://user@h℀?s3cr3t"},
        {"STATS_REDIS_URL": "redis://user:1?s3cr3t=@h"},
        {"STATS_REDIS_URL": "rediss://h?s3cr3t=s3cr3t&ssl_cert_reqs=s3cr3t"},
        {"STATS_REDIS_URL": "rediss://h?ssl_cert_reqs=s3cr3t"},
        {"STATS_JWT_JWKS_URL": "https://user:s3cr3t@h/j"},
        {"STATS_HTTP_PORT": "s3cr3t"},
    ],
)
def test_errors_tell_no_secret(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    """No error repeats a value, or a part of it."""
    error = "".join(refused(monkeypatch, ServiceSettings, {**JWT, **variables}))
    assert "s3cr3t" not in error


def test_settings_show_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The text of settings holds no password, secret or URL that may have one."""
    variables = {**KEYSTONE, **SASL, **JWT, "STATS_REDIS_URL": "redis://:s3cr3t@h"}
    variables["STATS_KEYSTONE_URL"] = variables["STATS_OTLP_ENDPOINT"] = "https://u:s3cr3t@h"
    for model in (ServiceSettings, ConsumerSettings):
        assert "s3cr3t" not in repr(loaded(monkeypatch, model, variables))


def test_settings_are_frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody changes a setting after the start."""
    settings = loaded(monkeypatch, CommonSettings, {})
    with pytest.raises(ValueError, match="frozen"):
        settings.log_level = "DEBUG"
