"""Finds what operations have and have in common, and shows parameters, headers and keys as lists of definitions."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

from service.api.docs_page.html import Html, inline, join, tag


class Operations:
    """Holds the GET operations of a description by path. HEAD has what GET has."""

    def __init__(self, description: Mapping[str, Any]) -> None:
        self.by_path: dict[str, Mapping[str, Any]] = {
            path: methods["get"] for path, methods in description["paths"].items()
        }

    def tagged(self, name: str) -> dict[str, Mapping[str, Any]]:
        """Returns those with this tag."""
        return {path: get for path, get in self.by_path.items() if name in get["tags"]}

    @cached_property
    def common_parameters(self) -> dict[str, Mapping[str, Any]]:
        """Returns the parameters that all have, by name."""
        return _common([{each["name"]: each for each in get["parameters"]} for get in self.by_path.values()])

    @cached_property
    def common_headers(self) -> dict[str, Mapping[str, Any]]:
        """Returns the headers that all answers of all have, by name."""
        return _common([response["headers"] for get in self.by_path.values() for response in get["responses"].values()])


def _common(mappings: list[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    names = set.intersection(*(set(each) for each in mappings))
    return {name: value for name, value in mappings[0].items() if name in names}


def parameters(described: Iterable[Mapping[str, Any]]) -> Html:
    """Returns a list of parameters, with the place of each."""
    return _definitions(
        (each["name"], _said(each["in"], each["schema"], each["required"], "optional"), each["description"])
        for each in described
    )


def headers(described: Mapping[str, Mapping[str, Any]]) -> Html:
    """Returns a list of an answer's headers."""
    return _definitions(
        (name, _said("", each["schema"], each["required"], "not always"), each["description"])
        for name, each in described.items()
    )


def keys(schema: Mapping[str, Any]) -> Html:
    """Returns a list of the keys of a body."""
    required = schema.get("required", [])
    return _definitions(
        (name, _said("", each, name in required, "not always"), each["description"])
        for name, each in schema.get("properties", {}).items()
    )


def _definitions(rows: Iterable[tuple[str, Html, str]]) -> Html:
    items = [
        join([tag("dt", tag("code", name), " ", said), tag("dd", inline(meaning))]) for name, said, meaning in rows
    ]
    return tag("dl", *items) if items else Html()


def _said(place: str, schema: Mapping[str, Any], is_required: bool, otherwise: str) -> Html:
    """Returns where a value is, what it may be, and a word for a value that may be absent."""
    return join([f"{place} ", schema_type(schema), *([] if is_required else [" ", tag("em", otherwise)])])


def schema_type(schema: Mapping[str, Any]) -> Html:
    """Returns what a value may be: its type, or a link to its body; its bounds, form and default."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return tag("a", name, href=f"#schema-{name}")
    if schema["type"] == "array":
        return join(["array of ", schema_type(schema["items"])])
    words = [schema.get("format", schema["type"])]
    if "minimum" in schema:
        words.append(f"from {schema['minimum']}")
    if "maximum" in schema:
        words.append(f"to {schema['maximum']}")
    kind = tag("span", " ".join(words), class_="type")
    values = [*schema.get("enum", []), *([schema["pattern"]] if "pattern" in schema else [])]
    return join([kind, *(join([" ", tag("code", value)]) for value in values)])
