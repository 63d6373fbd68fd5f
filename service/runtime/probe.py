"""Asks the process of a container whether it lives: `python -m service.runtime.probe [PATH]`, for images without curl.

The exit status is 0 for an answer 200, 1 for another or none, and 2 for wrong arguments. PATH is `/healthz` if none is
named; `/readyz` is the other one that makes sense.
"""

import http.client
import os
import sys
from collections.abc import Mapping, Sequence

_TIMEOUT_SECONDS = 3
_HERE = "127.0.0.1"


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Asks the API or, where nobody listens at its address, the consumer; returns the exit status.

    `environment` has the settings that say where they listen. Blocks for some seconds at most.
    """
    if len(arguments) > 1 or not all(each.startswith("/") for each in arguments):
        print("usage: python -m service.runtime.probe [PATH]", file=sys.stderr)  # noqa: T201 - the caller reads it
        return 2
    path = arguments[0] if arguments else "/healthz"
    for host, port in (
        (environment.get("STATS_HTTP_HOST") or _HERE, environment.get("STATS_HTTP_PORT") or "8080"),
        (environment.get("STATS_METRICS_HOST") or _HERE, environment.get("STATS_METRICS_PORT") or "9464"),
    ):
        try:
            status, text = _ask(host, int(port), path)
        except ConnectionRefusedError:
            continue
        except (OSError, http.client.HTTPException) as error:
            status, text = 0, str(error)
        print(text)  # noqa: T201 - an engine keeps it with the container's health
        return int(status != http.HTTPStatus.OK)
    print("nobody listens")  # noqa: T201
    return 1


def _ask(host: str, port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
