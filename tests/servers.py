"""Real servers on the loopback: databases, an S3 store, MLflow with both and authentication."""

import contextlib
import getpass
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy
import sqlalchemy.exc

from tests.processes import wait_for
from tests.programs import program

PASSWORD = "hush-4f1b9c2e7a"
"""Of all accounts here; nothing that is logged or printed may have it."""
USER = "alice"
SERVER_TIME_LIMIT_S = 300.0
"""For its start, on a machine that does other things."""
KEYS = {"AWS_ACCESS_KEY_ID": "key-of-alice", "AWS_SECRET_ACCESS_KEY": PASSWORD}
_AUTHENTICATION = f"""\
[mlflow]
default_permission = READ
database_uri = sqlite:///{{folder}}/users.db
admin_username = {USER}
admin_password = {PASSWORD}
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
auth_cache_ttl_seconds = 86400
"""
"""As MLflow's default file; passwords are not hashed for every request."""


@dataclass(frozen=True, kw_only=True)
class Server:
    """An MLflow server.

    Attributes:
        uri: its address, without an account.
        database: the URI of its database, with an account.
        environment: what its users have in their environment.
    """

    uri: str
    database: str
    environment: Mapping[str, str]


def until_it_answers(
    server: "subprocess.Popen[bytes]", address: str, log: Path | None = None
) -> None:
    """Waits until a server of HTTP answers; fails with its log where it ends instead."""

    def answers() -> bool:
        assert server.poll() is None, "the server has ended" if log is None else log.read_text()
        with contextlib.suppress(OSError):
            urllib.request.urlopen(address, timeout=60).close()
            return True
        return False

    wait_for(answers, SERVER_TIME_LIMIT_S)


def free_port() -> int:
    """Returns a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def postgresql() -> Iterator[str]:
    """Runs a database server that asks for a password; yields its URI."""
    # It refuses to run as root, and its own user may not enter the folders of tests.
    account = "postgres" if os.geteuid() == 0 else getpass.getuser()
    with _folder("postgresql") as folder:
        (folder / "password").write_text(PASSWORD)
        found = pwd.getpwnam(account)
        for path in (folder, folder / "password"):
            os.chown(path, found.pw_uid, found.pw_gid)
        data, port = folder / "data", free_port()
        common = {"user": account} if os.geteuid() == 0 else {}
        subprocess.run(
            [program("initdb"), "--no-sync", "-A", "scram-sha-256", "-U", USER,
             f"--pwfile={folder / 'password'}", "-D", data],
            check=True, capture_output=True, cwd=folder, **common,
        )  # fmt: skip
        command = [
            program("postgres"), "-D", str(data), "-p", str(port), "-c", "fsync=off",
            "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
        ]  # fmt: skip
        uri = f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{port}/postgres"
        with _database(command, folder, uri, **common):
            yield uri


@contextlib.contextmanager
def mariadb() -> Iterator[str]:
    """Runs a database server that asks for a password; yields its URI."""
    with _folder("mariadb") as folder:
        common = ["--no-defaults", f"--datadir={folder / 'data'}", f"--user={getpass.getuser()}"]
        subprocess.run(
            [program("mariadb-install-db"), *common, "--skip-test-db", "--innodb-log-file-size=4M",
             "--auth-root-authentication-method=normal"],
            check=True, capture_output=True, cwd=folder,
        )  # fmt: skip
        (folder / "first.sql").write_text(
            "CREATE DATABASE searches;\n"
            f"CREATE USER {USER} IDENTIFIED BY '{PASSWORD}';\n"
            f"GRANT ALL ON searches.* TO {USER};\n"
        )
        port = free_port()
        command = [
            program("mariadbd"), *common, f"--port={port}", "--bind-address=127.0.0.1",
            f"--socket={folder / 'socket'}", f"--init-file={folder / 'first.sql'}",
            "--skip-name-resolve", "--innodb-log-file-size=4M",
            "--innodb-flush-log-at-trx-commit=0",
        ]  # fmt: skip
        uri = f"mysql://{USER}:{PASSWORD}@127.0.0.1:{port}/searches"
        with _database(command, folder, uri.replace("mysql:", "mysql+pymysql:")):
            yield uri


@contextlib.contextmanager
def _folder(name: str) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=f"l1distill-{name}-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextlib.contextmanager
def _database(command: Sequence[str], folder: Path, uri: str, **options: str) -> Iterator[None]:
    """Runs a database server until its users are let in, and ends it."""
    engine = sqlalchemy.create_engine(uri.replace("postgresql:", "postgresql+psycopg:"))
    log = folder / "log"
    with log.open("wb") as output:
        server = subprocess.Popen(command, stdout=output, stderr=output, cwd=folder, **options)
    try:

        def answers() -> bool:
            assert server.poll() is None, log.read_text()
            with contextlib.suppress(sqlalchemy.exc.OperationalError):
                engine.connect().close()
                return True
            return False

        wait_for(answers)
        yield
    finally:
        engine.dispose()
        server.terminate()
        server.wait()


@contextlib.contextmanager
def s3(bucket: str = "artifacts") -> Iterator[str]:
    """Runs an S3 store with a bucket; yields its address."""
    import boto3
    from moto.server import ThreadedMotoServer

    store = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    store.start()
    try:
        address = "http://{}:{}".format(*store.get_host_and_port())
        boto3.client(
            "s3",
            endpoint_url=address,
            region_name="us-east-1",
            aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
        ).create_bucket(Bucket=bucket)
        yield address
    finally:
        store.stop()


@contextlib.contextmanager
def mlflow_server(folder: Path, database: str, s3_address: str) -> Iterator[Server]:
    """Runs an MLflow server that asks for an account; its log goes to the folder."""
    (folder / "users.ini").write_text(_AUTHENTICATION.format(folder=folder))
    port = free_port()
    uri = f"http://127.0.0.1:{port}"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")},
        **KEYS,
        "AWS_DEFAULT_REGION": "us-east-1",
        "MLFLOW_BACKEND_STORE_URI": database,
        "MLFLOW_S3_ENDPOINT_URL": s3_address,
        "MLFLOW_AUTH_CONFIG_PATH": str(folder / "users.ini"),
        "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_hex(),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth",
             "--artifacts-destination", "s3://artifacts", "--host", "127.0.0.1",
             "--port", str(port), "--workers", "1"],
            env=environment, cwd=folder, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        until_it_answers(server, f"{uri}/health", folder / "server.log")
        account = {"MLFLOW_TRACKING_USERNAME": USER, "MLFLOW_TRACKING_PASSWORD": PASSWORD}
        yield Server(uri=uri, database=database, environment=account)
    finally:
        server.terminate()
        server.wait()
