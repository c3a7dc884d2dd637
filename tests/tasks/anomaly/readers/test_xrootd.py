"""NanoAOD over XRootD, from a real server on this machine."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from l1distill.core.errors import DataError
from l1distill.tasks.anomaly.readers.nanoaod import plan
from l1distill.tasks.anomaly.readers.settings import NanoAodFiles
from tests.tasks.anomaly.readers.files import random_collisions, write_nanoaod

pytestmark = pytest.mark.needs_program("xrootd")


class Served:
    """A folder that a server exports, and its address."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.url = f"root://localhost:{port}/{folder}"


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """Two files behind an XRootD server, which will not run as root."""
    home = Path(tempfile.mkdtemp(prefix="l1distill-xrootd-"))
    try:
        data, log = home / "data", home / "log"
        for folder in (data, home / "admin", home / "run"):
            folder.mkdir()
        write_nanoaod(data / "a.root", random_collisions(120, 1))
        write_nanoaod(data / "b.root", random_collisions(80, 2))
        with socket.socket() as probe:
            probe.bind(("localhost", 0))
            port = probe.getsockname()[1]
        (home / "config").write_text(
            f"xrd.port {port}\nall.export {data}\n"
            f"all.adminpath {home / 'admin'}\nall.pidpath {home / 'run'}\n"
        )
        command = ["xrootd", "-c", str(home / "config"), "-l", str(log)]
        if os.geteuid() == 0:
            subprocess.run(["chown", "-R", "nobody", str(home)], check=True)
            command += ["-R", "nobody"]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            _wait(port, server, home)
            yield Served(data, port)
        finally:
            server.kill()
            server.wait()
    finally:
        shutil.rmtree(home)


def _wait(port: int, server: subprocess.Popen[bytes], home: Path) -> None:
    for _ in range(300):
        with socket.socket() as probe:
            if probe.connect_ex(("localhost", port)) == 0:
                return
        if server.poll() is not None:
            break
        time.sleep(0.1)
    logs = "\n".join(path.read_text() for path in home.rglob("log*") if path.is_file())
    raise RuntimeError(f"xrootd does not answer\n{logs}")


def _objects(background: str) -> np.ndarray:
    sample = plan(NanoAodFiles.model_validate({"reader": "nanoaod", "background": background}))[0]
    return np.concatenate([chunk.objects for file in sample.files for chunk in sample.chunks(file)])


@pytest.mark.parametrize("name", ["a.root", "*.root"])
def test_same_events_as_from_the_disk(served: Served, name: str) -> None:
    over = _objects(f"{served.url}/{name}")
    assert len(over) > 50
    np.testing.assert_array_equal(over, _objects(f"{served.folder}/{name}"))


def test_what_is_not_there(served: Served) -> None:
    missing = f"{served.url}/none.root"
    with pytest.raises(DataError, match=f"^{missing}: ") as refused:
        _objects(missing)
    assert len(str(refused.value).splitlines()) == 1
