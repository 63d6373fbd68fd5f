"""Makes answers of what the API sends; what is not its answer is an InvalidAnswerError that quotes nothing of it."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from gene_statistics.answers import Statistics, TimeSeries, UnixMs
from gene_statistics.errors import InvalidAnswerError
from gene_statistics.sse import ServerSentEvent

Model = TypeVar("Model", bound=BaseModel)


class _AsOf(BaseModel):
    as_of: UnixMs


def parse_statistics(headers: Mapping[str, str], body: bytes) -> Statistics:
    """Returns the statistics of an answer."""
    return _parse(Statistics, {**_object(body), **_of_headers(headers)})


def parse_time_series(headers: Mapping[str, str], body: bytes) -> TimeSeries:
    """Returns the time series of an answer."""
    return _parse(TimeSeries, {**_object(body), **_of_headers(headers)})


def parse_event(known: Statistics | None, event: ServerSentEvent) -> Statistics | None:
    """Returns the answer that an event makes of the one before; None before there is one, or if it says nothing."""
    if event.name == "statistics":
        fields = _object(event.data)
        body = fields.get("statistics")
        return _parse(Statistics, {**(body if isinstance(body, dict) else {}), "as_of_ms": fields.get("as_of")})
    if event.name == "as_of" and known is not None:
        fields = _object(event.data if event.data.startswith("{") else f'{{"as_of": {event.data}}}')
        return known.model_copy(update={"as_of_ms": _parse(_AsOf, fields).as_of})
    return None


def _object(body: bytes | str) -> dict[str, Any]:
    try:
        document = from_json(body)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise InvalidAnswerError("what came is no JSON object")
    return document


def _of_headers(headers: Mapping[str, str]) -> dict[str, int]:
    names = {"as_of_ms": "X-Statistics-As-Of", "horizon_ms": "X-Statistics-Horizon", "gaps": "X-Statistics-Gaps"}
    try:
        return {field: int(headers[name]) for field, name in names.items() if name in headers or field == "as_of_ms"}
    except (KeyError, ValueError):
        raise InvalidAnswerError("an answer without a valid X-Statistics-As-Of is none of the service") from None


def _parse(model: type[Model], fields: dict[str, Any]) -> Model:
    try:
        return model.model_validate(fields, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise InvalidAnswerError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
