"""Compares answers with what the API's description says of them."""

from collections.abc import Mapping
from typing import Any

import aiohttp
from openapi_schema_validator import OAS31Validator

# Those of HTTP itself, which OpenAPI leaves out or a server adds by itself.
OF_HTTP = frozenset({"Connection", "Content-Length", "Content-Type", "Date", "Transfer-Encoding"})


class Described:
    """The answers of a description, to compare real ones with."""

    def __init__(self, description: Mapping[str, Any]) -> None:
        self._description = description

    async def check(self, path: str, response: aiohttp.ClientResponse) -> None:
        """Fails unless the status, each header, the type and the body of an answer of that path are described."""
        operation = self._description["paths"][path][response.method.lower()]
        described = operation["responses"][str(response.status)]
        headers = {name.title(): each for name, each in described["headers"].items()}
        sent = {name.title(): value for name, value in response.headers.items()}
        assert sent.keys() - OF_HTTP <= headers.keys()
        assert {name for name, each in headers.items() if each["required"]} <= sent.keys()
        for name in sent.keys() & headers.keys():
            schema = headers[name]["schema"]
            self._validate(int(sent[name]) if schema["type"] == "integer" else sent[name], schema)
        body = await response.read()
        if "content" not in described:
            assert body == b""
            return
        schema = described["content"][response.content_type]["schema"]
        is_json = response.content_type == "application/json"
        self._validate(await response.json() if is_json else body.decode(), schema)

    def _validate(self, value: Any, schema: Mapping[str, Any]) -> None:
        whole = {**schema, "components": self._description["components"]}
        OAS31Validator(whole).validate(value)
