"""Shows one operation: its request with an example, its parameters, and its answers."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from service.api.docs_page.html import Html, inline, join, markdown, tag
from service.api.docs_page.parts import Operations, headers, parameters, schema_type


def operation_section(description: Mapping[str, Any], operations: Operations, path: str) -> Html:
    """Returns the section of a path's GET operation, without what all operations have. `render` calls it."""
    operation = operations.by_path[path]
    own = [each for each in operation["parameters"] if each["name"] not in operations.common_parameters]
    return tag(
        "section",
        tag("h3", operation["summary"], id=operation["operationId"]),
        tag("p", _method("GET"), " ", _method("HEAD"), " ", tag("code", path)),
        markdown(operation.get("description", "")),
        tag("h4", "Request"),
        tag("pre", tag("code", _curl(description, path, operation))),
        parameters(own),
        tag("h4", "Answers"),
        *(_answer(operations, status, response) for status, response in operation["responses"].items()),
    )


def _method(name: str) -> Html:
    return tag("span", name, class_="method")


def _curl(description: Mapping[str, Any], path: str, operation: Mapping[str, Any]) -> str:
    """Returns a command line with the examples of the operation's parameters."""
    examples: dict[str, dict[str, Any]] = {"path": {}, "query": {}, "header": {}}
    for each in operation["parameters"]:
        examples[each["in"]][each["name"]] = each["example"]
    url = description["servers"][0]["url"].rstrip("/") + path.format_map(examples["path"])
    query = f"?{urlencode(examples['query'])}" if examples["query"] else ""
    schemes = description["components"]["securitySchemes"]
    tokens = [f"-H '{schemes[name]['name']}: TOKEN' " for each in operation["security"] for name in each]
    return f"curl {''.join(tokens)}'https://HOST{url}{query}'"


def _answer(operations: Operations, status: str, response: Mapping[str, Any]) -> Html:
    own = {name: each for name, each in response["headers"].items() if name not in operations.common_headers}
    return tag(
        "details",
        tag("summary", tag("code", status), " ", inline(response["description"])),
        *(_content(kind, each) for kind, each in response.get("content", {}).items()),
        headers(own),
        **({"open": ""} if status == "200" else {}),
    )


def _content(kind: str, content: Mapping[str, Any]) -> Html:
    examples = (
        join([tag("p", "Example: ", name.replace("_", " ")), tag("pre", tag("code", _json(each["value"])))])
        for name, each in content.get("examples", {}).items()
    )
    return join([tag("p", tag("code", kind), " ", schema_type(content["schema"])), *examples])


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
