"""What Schemathesis cannot know of the API; tests/api/schemathesis.toml names this module."""

from typing import Any

import schemathesis
from schemathesis import Case, HookContext


@schemathesis.hook
def before_load_schema(context: HookContext, raw_schema: dict[str, Any]) -> None:
    """Lets `X-Language` be any text: the service refuses none, and answers in English where it has no such language.

    The description names those that there are. OpenAPI has no way to say "one of these, or any other".
    """
    for methods in raw_schema["paths"].values():
        for operation in methods.values():
            for parameter in operation["parameters"]:
                if parameter["name"] == "X-Language":
                    del parameter["schema"]["enum"]


@schemathesis.hook
def filter_case(context: HookContext, case: Case[Any]) -> bool:
    """Leaves out intervals that end before they start: OpenAPI cannot say that a parameter is not less than another."""
    start, end = (str((case.query or {}).get(name)) for name in ("start", "end"))
    return not (start.isdecimal() and end.isdecimal() and int(start) > int(end))
