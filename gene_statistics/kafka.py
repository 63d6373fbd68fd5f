"""What an aiokafka producer is created with, and how it is started."""

import asyncio
import logging
import re
import ssl
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Literal

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    IncompatibleBrokerVersion,
    KafkaError,
    KafkaTimeoutError,
    UnknownError,
    UnknownTopicOrPartitionError,
    UnsupportedVersionError,
)
from aiokafka.helpers import create_ssl_context

from gene_statistics.errors import PublishError, PublishTimeoutError
from gene_statistics.texts import kind_of

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Compression = Literal["zstd", "lz4", "snappy", "gzip"]
SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]

# What brokers answer that have no idempotent producers, and old ones that do not let everybody have them.
_NOT_IDEMPOTENT = (
    ClusterAuthorizationFailedError,
    IncompatibleBrokerVersion,
    UnknownError,
    UnsupportedVersionError,
)
_PAUSE_SECONDS = 0.5

_is_server = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})").fullmatch
_is_topic = re.compile(r"[A-Za-z0-9._-]{1,249}").fullmatch

_log = logging.getLogger(__name__)


def topic_options(bootstrap_servers: str, topic: str, compression: Compression | None) -> dict[str, Any]:
    """Returns aiokafka's options for these settings; raises ValueError, which quotes nothing, for what cannot be."""
    servers = bootstrap_servers.split(",") if isinstance(bootstrap_servers, str) else []
    found = [_is_server(server.strip()) for server in servers]
    if not found or not all(server and 1 <= int(server[1]) <= 65_535 for server in found):
        raise ValueError("bootstrap_servers: host:port, or several with commas between")
    if not isinstance(topic, str) or not _is_topic(topic) or topic in (".", ".."):
        raise ValueError("topic: 1 to 249 of A-Z a-z 0-9 . _ - and neither . nor .. alone")
    if compression not in ("zstd", "lz4", "snappy", "gzip", None):
        raise ValueError("compression: zstd, lz4, snappy, gzip or None")
    return {"bootstrap_servers": bootstrap_servers, "compression_type": compression}


def may_pass(error: KafkaError) -> bool:
    """Returns whether brokers may take a record later that they did not take now, without anybody doing anything."""
    if isinstance(error, UnknownTopicOrPartitionError):
        return False  # the library has asked for it again and again before it says so
    return bool(error.retriable) or isinstance(error, KafkaTimeoutError)


def security_options(  # noqa: PLR0913 - the settings of the service, by their names
    *,
    security_protocol: SecurityProtocol,
    sasl_mechanism: SaslMechanism | None,
    sasl_username: str | None,
    sasl_password: str | None,
    ssl_cafile: str | None,
    ssl_certfile: str | None,
    ssl_keyfile: str | None,
) -> dict[str, Any]:
    """Returns aiokafka's options for these settings; raises ValueError if they do not fit together or a file is bad."""
    if security_protocol not in ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"):
        raise ValueError("security_protocol: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL")
    options: dict[str, Any] = {"security_protocol": security_protocol}
    if security_protocol.endswith("SSL"):
        try:
            options["ssl_context"] = create_ssl_context(cafile=ssl_cafile, certfile=ssl_certfile, keyfile=ssl_keyfile)
        except (OSError, ssl.SSLError) as error:
            raise ValueError(f"ssl_cafile, ssl_certfile or ssl_keyfile cannot be used: {kind_of(error)}") from error
    elif ssl_cafile or ssl_certfile or ssl_keyfile:
        raise ValueError("ssl_cafile, ssl_certfile and ssl_keyfile need security_protocol SSL or SASL_SSL")
    if security_protocol.startswith("SASL"):
        if not (sasl_mechanism and sasl_username and sasl_password):
            raise ValueError(f"{security_protocol} needs sasl_mechanism, sasl_username and sasl_password")
        if sasl_mechanism not in ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"):
            raise ValueError("sasl_mechanism: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512")
        options |= {"sasl_mechanism": sasl_mechanism}
        options |= {"sasl_plain_username": sasl_username, "sasl_plain_password": sasl_password}
    elif sasl_mechanism or sasl_username or sasl_password:
        raise ValueError("sasl_mechanism, sasl_username and sasl_password need SASL_PLAINTEXT or SASL_SSL")
    return options


async def start_producer(
    options: Mapping[str, Any], idempotence: bool | None, deadline_seconds: float
) -> AIOKafkaProducer:
    """Returns a started producer; tries again until the deadline while no broker answers.

    With `idempotence` None it is idempotent where the brokers have that. Raises PublishError.
    """
    error: KafkaError | None = None
    try:
        async with asyncio.timeout(deadline_seconds):
            while True:
                try:
                    return await _start(options, idempotence)
                except KafkaError as refused:
                    if not may_pass(refused):
                        raise PublishError(f"the brokers refuse this producer: {kind_of(refused)}") from refused
                    error = refused
                await asyncio.sleep(_PAUSE_SECONDS)
    except TimeoutError:
        raise PublishTimeoutError(
            f"no broker of {options['bootstrap_servers']} could be used within {deadline_seconds:g} s. Look at the"
            " address, at security_protocol, the SASL password and the certificates: aiokafka logs what it met"
        ) from error


async def _start(options: Mapping[str, Any], idempotence: bool | None) -> AIOKafkaProducer:
    try:
        return await _start_once({**options, "enable_idempotence": idempotence is not False})
    except _NOT_IDEMPOTENT as error:
        if idempotence is None:
            _log.info("the brokers give no idempotence: an event may be written twice, and counts once")
            return await _start_once({**options, "enable_idempotence": False})
        if idempotence:
            raise PublishError(
                f"the brokers give no idempotence ({kind_of(error)}). Leave the argument out to have it where it is:"
                " events that are written twice count once"
            ) from error
        raise


async def _start_once(options: Mapping[str, Any]) -> AIOKafkaProducer:
    producer = AIOKafkaProducer(**options)
    try:
        await producer.start()
    except BaseException:
        with suppress(KafkaError):
            await producer.stop()
        raise
    return producer
