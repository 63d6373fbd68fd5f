"""Makes the JSON Schema of the job event, and writes the documents for producers: `python -m service.events.documents`.

The API serves them, and `docs/` has a copy of each, which a test holds to the code.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from service.events.asyncapi import describe_topics
from service.events.schema import EXAMPLE, JobEventModel

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_ID = "urn:gene-job-statistics:job-event"


class _WithoutTitles(GenerateJsonSchema):
    """Makes schemas whose fields have no titles, which would repeat their names."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def job_event_schema() -> dict[str, Any]:
    """Returns the JSON Schema (2020-12) of a job event; the API and `main` call it."""
    schema = JobEventModel.model_json_schema(schema_generator=_WithoutTitles)
    return {
        "$schema": _DIALECT,
        "$id": _ID,
        "title": "Job event",
        "description": " ".join(schema["description"].split()),
        **{name: schema[name] for name in ("type", "required", "properties")},
        "examples": [EXAMPLE],
    }


def documents() -> Mapping[str, dict[str, Any]]:
    """Returns each document by the name of its file."""
    schema = job_event_schema()
    return {"job-event.schema.json": schema, "asyncapi.json": describe_topics(schema)}


def main(folder: Path) -> None:
    """Writes the documents into a folder."""
    for name, document in documents().items():
        text = json.dumps(document, indent=2, ensure_ascii=False)
        (folder / name).write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
