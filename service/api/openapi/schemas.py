"""Makes the schemas of bodies from the models that answer, and describes the bodies that have no model."""

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from service.api.csv_bodies import CSV
from service.api.resources.console import CallerDescription
from service.http.errors import ErrorBody
from service.statistics import ProjectStatistics, TimeSeries

JSON = "application/json"
STATUS = {
    "type": "object",
    "title": "Status",
    "description": "What a probe answers.",
    "additionalProperties": False,
    "properties": {"status": {"type": "string", "description": "the state of the process"}},
    "required": ["status"],
}
DOCUMENT = {
    "type": "object",
    "title": "Document",
    "description": "A document about this API, or about the events that are counted.",
}


class _Bodies(GenerateJsonSchema):
    """Makes schemas without null, since None stands for an absent key in these models; fields get no title."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def body_schemas() -> dict[str, Any]:
    """Returns the schema of each body by its name. `describe` calls it."""
    _, schemas = models_json_schema(
        [(model, "serialization") for model in (ProjectStatistics, TimeSeries, CallerDescription, ErrorBody)],
        ref_template="#/components/schemas/{model}",
        schema_generator=_Bodies,
    )
    return {**schemas["$defs"], "Status": STATUS, "Document": DOCUMENT}


def body(schema: str, **examples: Any) -> dict[str, Any]:
    """Returns the content of a JSON answer: the name of its schema, and examples by name."""
    described: dict[str, Any] = {"schema": {"$ref": f"#/components/schemas/{schema}"}}
    if examples:
        described["examples"] = {name: {"value": value} for name, value in examples.items()}
    return {JSON: described}


def csv_body(example: str) -> dict[str, Any]:
    """Returns the content of an answer in CSV, with an example."""
    return {CSV: {"schema": {"type": "string"}, "examples": {"rows": {"value": example}}}}
