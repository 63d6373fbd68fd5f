"""Makes the page: what is said of all of the API, each operation by its tag, and the bodies."""

from collections.abc import Mapping
from typing import Any

from service.api.docs_page.html import Html, anchor, headings, inline, markdown, tag
from service.api.docs_page.operation import operation_section
from service.api.docs_page.parts import Operations, headers, keys, parameters

_STYLE, _DESCRIPTION = "docs/style.css", "openapi.json"


def render(description: Mapping[str, Any]) -> bytes:
    """Returns the page of an OpenAPI description. Its links are relative, so it works below any path. Does no I/O."""
    info, operations = description["info"], Operations(description)
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", info["title"]),
        tag("link", rel="stylesheet", href=_STYLE),
    )
    main = tag(
        "main",
        tag("section", markdown(info["description"])),
        _common_section(operations),
        *(_tag_section(description, operations, each) for each in description["tags"]),
        _bodies(description),
        id="content",
        tabindex="-1",
    )
    body = tag(
        "body",
        tag("header", _skip(), tag("h1", info["title"]), tag("p", inline(info["summary"])), _facts(description)),
        _contents(description, operations),
        main,
    )
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n".encode()


def _skip() -> Html:
    return tag("a", "Skip to the content", href="#content", class_="skip")


def _facts(description: Mapping[str, Any]) -> Html:
    info = description["info"]
    return tag(
        "p",
        f"Version {info['version']} · ",
        tag("a", "OpenAPI document", href=_DESCRIPTION),
        " · all paths are below ",
        tag("code", description["servers"][0]["url"]),
        f" · {info['license']['name']}",
    )


def _contents(description: Mapping[str, Any], operations: Operations) -> Html:
    prose = [(heading, anchor(heading)) for heading in headings(description["info"]["description"])]
    shown = [
        (get["summary"], get["operationId"])
        for each in description["tags"]
        for get in operations.tagged(each["name"]).values()
    ]
    links = [*prose, ("Headers of all requests and answers", "headers"), *shown, ("Bodies", "bodies")]
    items = (tag("li", tag("a", text, href=f"#{target}")) for text, target in links)
    return tag("nav", tag("h2", "Contents"), tag("ul", *items), aria_label="Contents")


def _common_section(operations: Operations) -> Html:
    return tag(
        "section",
        tag("h2", "Headers of all requests and answers", id="headers"),
        tag("h3", "Of requests"),
        parameters(operations.common_parameters.values()),
        tag("h3", "Of answers"),
        headers(operations.common_headers),
    )


def _tag_section(description: Mapping[str, Any], operations: Operations, described: Mapping[str, str]) -> Html:
    name = described["name"]
    return tag(
        "section",
        tag("h2", name.capitalize(), id=f"tag-{name}"),
        tag("p", inline(described["description"])),
        *(operation_section(description, operations, path) for path in operations.tagged(name)),
    )


def _bodies(description: Mapping[str, Any]) -> Html:
    schemas: Mapping[str, Any] = description["components"]["schemas"]
    shown = (
        tag("section", tag("h3", name, id=f"schema-{name}"), tag("p", inline(schema["description"])), keys(schema))
        for name, schema in schemas.items()
    )
    return tag("section", tag("h2", "Bodies", id="bodies"), *shown)
