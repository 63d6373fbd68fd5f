"""The settings of topics that the model knows, and their defaults. Pure, no I/O."""

from collections.abc import Mapping

DEFAULTS = {
    "cleanup.policy": "delete",
    "compression.type": "producer",
    "delete.retention.ms": "86400000",
    "max.compaction.lag.ms": "9223372036854775807",
    "max.message.bytes": "1048588",
    "message.timestamp.type": "CreateTime",
    "min.cleanable.dirty.ratio": "0.5",
    "min.insync.replicas": "2",
    "retention.bytes": "-1",
    "retention.ms": "604800000",
    "segment.bytes": "1073741824",
    "segment.ms": "604800000",
}
_TEXTS = {
    "cleanup.policy": {"delete", "compact", "compact,delete", "delete,compact"},
    "compression.type": {"producer", "gzip", "lz4", "snappy", "uncompressed", "zstd"},
    "message.timestamp.type": {"CreateTime", "LogAppendTime"},
}


def are_valid(configs: Mapping[str, str]) -> bool:
    """Returns whether a topic can have these settings."""
    return all(
        name in DEFAULTS and (value in _TEXTS[name] if name in _TEXTS else _is_number(value))
        for name, value in configs.items()
    )


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def setting(configs: Mapping[str, str], name: str) -> str:
    """Returns a setting of a topic."""
    return configs.get(name, DEFAULTS[name])
