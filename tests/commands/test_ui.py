"""The user interface, with a small server in the place of MLflow's."""

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from l1distill.commands import ui
from l1distill.core.errors import ConfigError, DataError, ToolError

SERVER = """
import json, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        known = self.path == "/health" or self.path.endswith("experiment_name=l1distill")
        self.send_response(200 if known else 404)
        self.end_headers()
        self.wfile.write(json.dumps({"experiment": {"experiment_id": "7"}}).encode())
    def log_message(self, *arguments):
        pass
HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
    (tmp_path / "mlflow.db").touch()
    return tmp_path / "mlflow.db"


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is opened in the browser."""
    addresses: list[str] = []
    monkeypatch.setattr(ui.webbrowser, "open", addresses.append)
    return addresses


def test_the_runs_are_opened_and_the_server_ends_with_us(tmp_path: Path, port: int) -> None:
    (tmp_path / "server.py").write_text(SERVER)
    script = textwrap.dedent("""
        import sys
        from l1distill.commands import ui
        from l1distill.cli import main
        ui.server_command = lambda store, port: [sys.executable, "server.py", str(port)]
        sys.exit(main(["ui", "--no-browser", "--port", sys.argv[1]]))
    """)
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    page = f"http://127.0.0.1:{port}/#/experiments/7/runs?workflowType=machine_learning\n"
    assert process.stdout.readline() == page
    os.kill(process.pid, signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 143
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0, "the server has ended, too"


@pytest.fixture
def server() -> Iterator[str]:
    """A tracking server somewhere; its experiment ``l1distill`` is number 12."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.path.endswith("experiment_name=l1distill")
            self.send_response(200 if known else 404)
            self.end_headers()
            self.wfile.write(json.dumps({"experiment": {"experiment_id": "12"}}).encode())

        def log_message(self, *arguments: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def test_a_server_that_runs_already_is_used(
    server: str, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"{server}/")
    ui.run([])
    ui.run(["--experiment", "nonsense"])
    runs = f"{server}/#/experiments/12/runs?workflowType=machine_learning"
    assert opened == [runs, server]


def test_what_cannot_be_opened_is_one_line(
    store: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match=r"invalid int value: 'x'; see l1distill ui --help"):
        ui.run(["--port", "x"])
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"--port {number}: cannot be used .*; take another"):
            ui.run(["--port", str(number)])
    monkeypatch.setattr(ui, "server_command", lambda *_: [sys.executable, "-c", "exit(3)"])
    with pytest.raises(ToolError, match="server ended with status 3; try "):
        ui.run(["--port", str(port)])
    store.unlink()
    with pytest.raises(DataError, match=r"mlflow\.db: no such file; run a stage first"):
        ui.run([])


def test_mlflow_takes_the_flags() -> None:
    from mlflow.cli import cli

    command = ui.server_command("sqlite:///mlflow.db", 5000)
    assert command[1:4] == ["-m", "mlflow", "server"]
    context = cli.commands["server"].make_context("server", command[4:])
    assert context.params["workers"] == "1"
    assert context.params["backend_store_uri"] == "sqlite:///mlflow.db"
