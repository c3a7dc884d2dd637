"""A tracking server that fails or refuses, over real HTTP."""

import json
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import mlflow
import psycopg
import pytest
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import OperationalError

from l1distill.core.errors import ResourceError
from l1distill.tracking.store_errors import store_errors_as_one_line


@dataclass
class Server:
    """A server that answers every request alike."""

    address: str = ""
    status: int = 200
    body: str = "{}"
    requests: list[str] = field(default_factory=list)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    answers = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            answers.requests.append(self.path)
            self.send_response(answers.status)
            self.end_headers()
            self.wfile.write(answers.body.encode())

        def log_message(self, *arguments: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    answers.address = f"http://127.0.0.1:{httpd.server_port}"
    thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0")
    mlflow.set_tracking_uri(answers.address)
    yield answers
    mlflow.set_tracking_uri(None)
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def _error(code: str, message: str) -> str:
    return json.dumps({"error_code": code, "message": message})


FULL = _error(
    "TEMPORARILY_UNAVAILABLE", "(sqlite3.OperationalError) database or disk is full\n[SQL"
)


@pytest.mark.parametrize(
    ("retries", "status", "body", "says"),
    [
        (0, 503, FULL, "too many 503 error responses; look into the server's log, its disk may be"),
        (1, 500, FULL, "too many 500 error responses; look into the server's log, its disk may be"),
        (
            0,
            507,
            FULL,
            "TEMPORARILY_UNAVAILABLE: (sqlite3.OperationalError) database or disk is fu",
        ),
        (0, 507, FULL, "disk is full [SQL; make room there, or set"),
        (
            0,
            507,
            "No space left on device",
            "failed with error code 507 != 200. Response body: 'No",
        ),
        (0, 507, "No space left on device", "make room there, or set"),
        (
            0,
            401,
            "Who are you?",
            "failed with error code 401 != 200. Response body: 'Who are you?'",
        ),
        (0, 403, _error("PERMISSION_DENIED", "not yours"), "PERMISSION_DENIED: not yours; ask who"),
        (0, 413, "too large", "failed with error code 413 != 200. Response body: 'too large'; ask"),
    ],
)
def test_a_server_that_fails_or_refuses_is_one_line(
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    retries: int,
    status: int,
    body: str,
    says: str,
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", str(retries))
    server.status, server.body = status, body
    with pytest.raises(ResourceError) as refusal, store_errors_as_one_line():
        mlflow.MlflowClient().log_param("run", "key", "value")
    (line,) = str(refusal.value).splitlines()
    assert line.startswith(f"MLflow store {server.address}: ")
    assert says in line
    assert line.endswith("set MLFLOW_TRACKING_URI or tracking.uri to a store that works")
    assert len(server.requests) == 1 + retries


def test_a_server_that_is_gone_is_one_line(server: Server) -> None:
    mlflow.set_tracking_uri("http://127.0.0.1:9")
    gone = r"^MLflow store http://127\.0\.0\.1:9: \[Errno 111\] Connection refused; look into"
    with pytest.raises(ResourceError, match=gone), store_errors_as_one_line():
        mlflow.MlflowClient().log_param("run", "key", "value")


@pytest.mark.parametrize("code", ["INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST"])
def test_a_request_that_was_wrong_is_a_defect(server: Server, code: str) -> None:
    server.status, server.body = 400, _error(code, "no")
    with pytest.raises(MlflowException, match=code), store_errors_as_one_line():
        mlflow.MlflowClient().log_param("run", "key", "value")


@pytest.mark.parametrize("error", [RuntimeError("boom"), OSError("boom"), MlflowException("boom")])
def test_an_error_of_another_kind_is_let_through(server: Server, error: Exception) -> None:
    with pytest.raises(type(error), match="boom"), store_errors_as_one_line():
        raise error


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (sqlite3.SQLITE_FULL, "boom; make room, or set"),
        (sqlite3.SQLITE_IOERR | 3 << 8, "boom; make room, or set"),
        (sqlite3.SQLITE_READONLY, "boom; set"),
    ],
)
def test_a_database_file_is_named_by_its_error_code(code: int, says: str) -> None:
    error = sqlite3.OperationalError("boom")
    error.sqlite_errorcode = code
    with pytest.raises(ResourceError, match=says), store_errors_as_one_line():
        raise RuntimeError("of SQLAlchemy") from error
    error.sqlite_errorcode = sqlite3.SQLITE_CONSTRAINT
    with pytest.raises(RuntimeError), store_errors_as_one_line():
        raise RuntimeError("of SQLAlchemy") from error


@pytest.mark.parametrize(
    ("said", "way_out"),
    [
        ("server closed the connection unexpectedly", "ask who runs it, or set"),
        ('could not extend file "base/1": No space left on device', "make room there, or set"),
    ],
)
def test_a_database_that_fails_is_one_line_without_its_password(said: str, way_out: str) -> None:
    mlflow.set_tracking_uri("postgresql://alice:hush@127.0.0.1/db")
    try:
        with pytest.raises(ResourceError) as refusal, store_errors_as_one_line():
            try:
                raise OperationalError("SELECT 1", {}, psycopg.OperationalError(said))
            except OperationalError as cause:
                raise MlflowException("of the store") from cause
    finally:
        mlflow.set_tracking_uri(None)
    (line,) = str(refusal.value).splitlines()
    assert line.startswith("MLflow store postgresql://alice:***@127.0.0.1/db: ")
    assert said in line
    assert way_out in line
