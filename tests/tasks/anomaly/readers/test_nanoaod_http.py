"""NanoAOD files over HTTP, and protocols that nothing here speaks."""

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from l1distill.core.errors import ToolError
from l1distill.tasks.anomaly.readers.nanoaod import plan
from tests.tasks.anomaly.readers.plain_loop import (
    files_of,
    read_all,
    refused,
)


class _Ranges(SimpleHTTPRequestHandler):
    """Serves parts of files, which the handler of the standard library does not."""

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path.split("?")[0]))
        if path.is_dir():
            super().do_GET()
            return
        if not path.is_file():
            self.send_error(404)
            return
        content = path.read_bytes()
        first, last = 0, len(content) - 1
        if asked := self.headers.get("Range"):
            begin, _, end = asked.removeprefix("bytes=").partition("-")
            first, last = int(begin), min(int(end or last), last)
        self.send_response(206 if asked else 200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
        self.send_header("Content-Length", str(last + 1 - first))
        self.end_headers()
        self.wfile.write(content[first : last + 1])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def url(path: Path) -> Iterator[str]:
    """The folder of the file, over HTTP."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Ranges, directory=path.parent)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("name", ["b.root", "b.root?token=a/b", "*.root"])
def test_over_http(path: Path, url: str, name: str) -> None:
    files = files_of(f"{url}/{name}", chunk=100)
    objects, number, _ = read_all(files)
    expected, expected_number, _ = read_all(files_of(path))
    np.testing.assert_array_equal(objects, expected)
    np.testing.assert_array_equal(number, expected_number)
    (file,) = plan(files)[0].files
    assert file.path is None
    assert file.short_name == "b.root"


def test_what_is_not_there_over_http(url: str) -> None:
    assert refused(files_of(f"{url}/none.root")) == (
        f"{url}/none.root: no such file; correct the path"
    )
    assert "matches no file" in refused(files_of(f"{url}/none*.root"))
    unreachable = "http://127.0.0.1:9/b.root"
    assert refused(files_of(unreachable)).startswith(f"{unreachable}: cannot be read (")


def test_a_protocol_without_its_package_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import fsspec

    def missing(_: str) -> None:
        raise ImportError("Install fsspec-xrootd to access xrootd storage system. Note: more")

    monkeypatch.setattr(fsspec.core, "get_filesystem_class", missing)
    with pytest.raises(ToolError) as refusal:
        read_all(files_of("root://host//store/b.root"))
    message = str(refusal.value)
    assert message.startswith("root://host//store/b.root: Install fsspec-xrootd to access xrootd")
