"""Describes the topics as an AsyncAPI 3 document: what the service reads, and the dead letters that it writes. Pure.

The names of topics and servers are the defaults of the settings.
"""

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from service.events.cloudevents import REQUIRED, STRUCTURED, VERSION
from service.events.decoding import MAX_VALUE_BYTES, Reason
from service.events.schema import EXAMPLE, ID_PATTERN, MAX_TEXT_CHARS

TOPIC = "gene-job-events"
DEAD_LETTER_TOPIC = "gene-job-events.dead-letters"
BOOTSTRAP_SERVERS = "localhost:9092"
DEAD_LETTER_HEADERS = {
    "dead-letter-reason": "one of the reasons, which stay the same from version to version",
    "dead-letter-detail": "for people: which field is wrong, how, and what is allowed",
    "dead-letter-topic": "the topic of the record",
    "dead-letter-partition": "its partition there, a decimal number",
    "dead-letter-offset": "its offset there, a decimal number",
    "dead-letter-timestamp": "its timestamp there, Unix milliseconds, a decimal number",
}

_BINDING = {"bindingVersion": "0.5.0"}
_ID_CHARACTERS = f"{ID_PATTERN.strip('^$+')}{{1,{MAX_TEXT_CHARS}}}"
_LIMIT_OF_ID = f"and has at most {MAX_TEXT_CHARS} characters then"
_KEY = {
    "type": "string",
    "description": "{project_id}/{job_id}. An event may come without a key, a deletion may not.",
    "pattern": f"^{_ID_CHARACTERS}/{_ID_CHARACTERS}$",
    "examples": [f"{EXAMPLE['project_id']}/{EXAMPLE['job_id']}"],
}
_ATTRIBUTES: Mapping[str, Any] = {
    "specversion": VERSION,
    "id": EXAMPLE["event_id"],
    "source": "/jobs",
    "type": "gene.job.transition",
}
_DATA = {name: given for name, given in EXAMPLE.items() if name != "event_id"}


def describe_topics(job_event: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the document, as objects that JSON can hold; `job_event` is the JSON Schema of the event."""
    event = {name: part for name, part in job_event.items() if not name.startswith("$")}
    return {
        "asyncapi": "3.0.0",
        "id": "urn:gene-job-statistics:topics",
        "info": {
            "title": "Gene job statistics: topics",
            "version": "1.0.0",
            "description": "The job events that the statistics are counted from, and the records that are no events."
            " Names of topics and servers are settings; these are their defaults.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": _servers(),
        "channels": {"jobEvents": _job_events(), "deadLetters": _dead_letters()},
        "operations": {
            "receiveJobEvents": {
                "action": "receive",
                "channel": {"$ref": "#/channels/jobEvents"},
                "summary": "The service counts each job once, under its latest event, in whatever order events come.",
                "bindings": {
                    "kafka": {"groupId": {"type": "string", "default": "gene-job-statistics"}, **_BINDING},
                },
            },
            "sendDeadLetters": {
                "action": "send",
                "channel": {"$ref": "#/channels/deadLetters"},
                "summary": "The service keeps each record that is no event here, whole, with the reason.",
            },
        },
        "components": {
            "messages": _messages(),
            "schemas": {
                "JobEvent": event,
                "JobEventData": {**event, **_without_event_id(event)},
                "CloudEvent": _cloud_event(),
            },
            "securitySchemes": {
                "scramSha256": {"type": "scramSha256"},
                "scramSha512": {"type": "scramSha512"},
                "plain": {"type": "plain"},
                "certificate": {"type": "X509"},
            },
        },
    }


def _servers() -> dict[str, Any]:
    secured = [{"$ref": f"#/components/securitySchemes/{name}"} for name in ("scramSha512", "scramSha256", "plain")]
    return {
        "local": {"host": BOOTSTRAP_SERVERS, "protocol": "kafka", "description": "A broker on this machine."},
        "secured": {
            "host": "{bootstrap}",
            "protocol": "kafka-secure",
            "description": "Brokers that are spoken to by TLS, with SASL or with a certificate of the client.",
            "variables": {"bootstrap": {"default": BOOTSTRAP_SERVERS, "description": "host and port of a broker"}},
            "security": [*secured, {"$ref": "#/components/securitySchemes/certificate"}],
        },
    }


def _job_events() -> dict[str, Any]:
    names = ("jobEvent", "jobDeletion", "structuredCloudEvent", "binaryCloudEvent")
    topic = {"cleanup.policy": ["delete"], "message.timestamp.type": "LogAppendTime"}
    return _channel(TOPIC, "One record for each change of a job's state.", names, {"topicConfiguration": topic})


def _dead_letters() -> dict[str, Any]:
    description = "Records that are no events, or that the store refused, as they were."
    return _channel(DEAD_LETTER_TOPIC, description, ("deadLetter",), {})


def _channel(topic: str, description: str, messages: Sequence[str], binding: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "address": topic,
        "description": description,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
        "bindings": {"kafka": {"topic": topic, **binding, **_BINDING}},
    }


def _messages() -> dict[str, Any]:
    binary = {f"ce_{name}": str(text) for name, text in _ATTRIBUTES.items()}
    return {
        "jobEvent": _message(
            "JobEvent",
            f"One state transition of one job. The value is UTF-8 JSON of at most {MAX_VALUE_BYTES} bytes.",
            {"$ref": "#/components/schemas/JobEvent"},
            EXAMPLE,
        ),
        "jobDeletion": _message(
            "JobDeletion",
            "A record with a key and a null value: no event of the job, older or newer, counts any more.",
            {"type": "null"},
            None,
        ),
        "structuredCloudEvent": _message(
            "StructuredCloudEvent",
            f"A CloudEvent as the value. Its id stands in for a missing event_id, {_LIMIT_OF_ID}.",
            {"$ref": "#/components/schemas/CloudEvent"},
            {**_ATTRIBUTES, "datacontenttype": "application/json", "data": _DATA},
            {"content-type": STRUCTURED},
            STRUCTURED,
        ),
        "binaryCloudEvent": _message(
            "BinaryCloudEvent",
            "An event as the value, the attributes of a CloudEvent as headers. ce_id stands in for a missing event_id,"
            f" {_LIMIT_OF_ID}.",
            {"$ref": "#/components/schemas/JobEventData"},
            _DATA,
            {**binary, "content-type": "application/json"},
            headers={
                "type": "object",
                "required": list(binary),
                "properties": {
                    **{name: {"type": "string", "minLength": 1} for name in binary},
                    "ce_specversion": {"type": "string", "const": VERSION},
                    "content-type": {"type": "string", "description": "if it is there, that of JSON"},
                },
            },
        ),
        "deadLetter": {
            "name": "DeadLetter",
            "summary": "The record as it was, key, value and headers, with more headers behind its own.",
            "contentType": "application/octet-stream",
            "headers": _dead_letter_headers(),
            "payload": {"description": "the bytes of the record's value, or null"},
            "bindings": {"kafka": {"key": {"description": "the bytes of the record's key, or null"}, **_BINDING}},
        },
    }


def _message(  # noqa: PLR0913, PLR0917 - what a message is made of
    name: str,
    summary: str,
    payload: Mapping[str, Any],
    example: Mapping[str, Any] | None,
    example_headers: Mapping[str, str] | None = None,
    content_type: str = "application/json",
    headers: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    described = headers or {
        "type": "object",
        "required": list(example_headers or ()),
        "properties": {name: {"type": "string", "const": text} for name, text in (example_headers or {}).items()},
    }
    return {
        "name": name,
        "summary": summary,
        "contentType": content_type,
        **({"headers": described} if example_headers else {}),
        "payload": payload,
        "examples": [{**({"headers": example_headers} if example_headers else {}), "payload": example}],
        "bindings": {"kafka": {"key": _KEY, **_BINDING}},
    }


def _without_event_id(event: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "title": "Job event in a CloudEvent",
        "required": [name for name in event["required"] if name != "event_id"],
        "examples": [_DATA],
    }


def _cloud_event() -> dict[str, Any]:
    """Returns the schema of a CloudEvent in JSON that holds a job event."""
    return {
        "title": "CloudEvent with a job event",
        "description": "CloudEvents 1.0 in JSON, with the event in data or data_base64. Other attributes are ignored.",
        "type": "object",
        "required": list(REQUIRED),
        "properties": {
            **{name: {"type": "string", "minLength": 1} for name in REQUIRED},
            "specversion": {"type": "string", "const": VERSION},
            "datacontenttype": {"type": ["string", "null"], "description": "if it is there, that of JSON"},
            "data": {"oneOf": [{"$ref": "#/components/schemas/JobEventData"}, {"type": "null"}]},
            "data_base64": {"type": ["string", "null"], "contentEncoding": "base64"},
        },
        "oneOf": [
            {"required": [name], "properties": {name: {"not": {"type": "null"}}}} for name in ("data", "data_base64")
        ],
        "if": {"required": ["data"], "properties": {"data": {"type": "object", "not": {"required": ["event_id"]}}}},
        "then": {"properties": {"id": {"maxLength": MAX_TEXT_CHARS}}},
    }


def _dead_letter_headers() -> dict[str, Any]:
    properties: dict[str, Any] = {
        name: {"type": "string", "description": text} for name, text in DEAD_LETTER_HEADERS.items()
    }
    properties["dead-letter-reason"]["enum"] = list(get_args(Reason))
    return {"type": "object", "required": list(properties), "properties": properties}
