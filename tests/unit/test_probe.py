"""The health check of containers: it asks the API, or the consumer where no API listens."""

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from deploy.local.servers import free_port
from service.runtime.probe import main


class Handler(BaseHTTPRequestHandler):
    """Answers 200 to `/healthz` alone."""

    def do_GET(self) -> None:
        """Answers with the path."""
        self.send_response(200 if self.path == "/healthz" else 503)
        self.end_headers()
        self.wfile.write(self.path.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Logs nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    """Where a server listens."""
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def settings(api: int, consumer: int) -> dict[str, str]:
    """Returns settings of both processes; an empty variable counts as unset."""
    return {"STATS_HTTP_HOST": "0.0.0.0", "STATS_HTTP_PORT": str(api), "STATS_METRICS_PORT": str(consumer)}  # noqa: S104


@pytest.mark.parametrize("is_api", [True, False], ids=["API", "consumer"])
@pytest.mark.parametrize(("arguments", "status"), [([], 0), (["/readyz"], 1)])
def test_it_asks_who_listens(port: int, is_api: bool, arguments: list[str], status: int) -> None:
    """The path is `/healthz` unless another is named, and any answer but 200 is a failure."""
    nobody = free_port()
    ports = (port, nobody) if is_api else (nobody, port)
    assert main(arguments, settings(*ports)) == status


def test_nobody_listens(capsys: pytest.CaptureFixture[str]) -> None:
    """A process that has not begun to listen, or has ended, is not healthy."""
    assert main([], settings(free_port(), free_port())) == 1
    assert capsys.readouterr().out == "nobody listens\n"


def test_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that hangs is not healthy, even if another listens at the second address."""
    monkeypatch.setattr("service.runtime.probe._TIMEOUT_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert main([], settings(port, port)) == 1


@pytest.mark.parametrize("arguments", [["healthz"], ["/healthz", "/readyz"]])
def test_wrong_arguments(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """They are told from a process that is not healthy."""
    assert main(arguments, {}) == 2
    assert "usage" in capsys.readouterr().err
