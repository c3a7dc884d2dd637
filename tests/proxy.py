"""A server between a client and a server, which fails as networks, servers and disks do."""

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit

Fault = Literal["refuse", "lose", "full"] | None
"""What becomes of one attempt at a request: the connection is closed before it is passed on; it is
passed on, and the answer is lost; a full disk is answered; or it goes through."""
FULL_DISK = b'{"error_code": "INTERNAL_ERROR", "message": "[Errno 28] No space left on device"}'


@dataclass
class Proxy:
    """A proxy with a rule that may be changed at any time.

    Attributes:
        uri: its address.
        rule: takes the method and path of an attempt, and how often this request was attempted.
        attempts: at each request, which is known by its method, path and body.
    """

    uri: str
    rule: Callable[[str, str, int], Fault]
    attempts: dict[tuple[str, str, bytes], int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def number_of_requests(self) -> int:
        """How many different requests were made."""
        return len(self.attempts)


def pass_on(method: str, path: str, attempt: int) -> Fault:
    """Lets everything through."""
    return None


def refuse_first(method: str, path: str, attempt: int) -> Fault:
    """The server is away when a request is made first, and back when it is made again."""
    return "refuse" if attempt == 1 else None


def lose_first(method: str, path: str, attempt: int) -> Fault:
    """The server does what it is asked, and goes away before it answers."""
    return "lose" if attempt == 1 else None


def full_disk(method: str, path: str, attempt: int) -> Fault:
    """The server cannot write."""
    is_write = method == "PUT" or (method == "POST" and not path.endswith(("/search", "search")))
    return "full" if is_write else None


@contextmanager
def proxy(server: str) -> Iterator[Proxy]:
    """Runs a proxy before a server."""
    target = urlsplit(server)
    state = Proxy(uri="", rule=pass_on)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do(self) -> None:
            body = self.body()
            with state.lock:
                key = (self.command, self.path, body)
                state.attempts[key] = attempt = state.attempts.get(key, 0) + 1
                fault = state.rule(self.command, self.path, attempt)
            if fault == "refuse":
                self.close_connection = True
                return
            if fault == "full":
                self.answer(507, FULL_DISK, {"Content-Type": "application/json"})
                return
            connection = http.client.HTTPConnection(target.netloc, timeout=120)
            try:
                of_hop = ("connection", "transfer-encoding", "content-length")
                headers = {k: v for k, v in self.headers.items() if k.lower() not in of_hop}
                connection.request(self.command, self.path, body, headers)
                response = connection.getresponse()
                content = response.read()
            finally:
                connection.close()
            if fault == "lose":
                self.close_connection = True
                return
            kept = ("content-type", "content-disposition")
            answered = {k: v for k, v in response.getheaders() if k.lower() in kept}
            self.answer(response.status, content, answered)

        def body(self) -> bytes:
            if "chunked" not in self.headers.get("Transfer-Encoding", ""):
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = b""  # as requests sends an empty file
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do

        def answer(self, status: int, content: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    state.uri = f"http://127.0.0.1:{httpd.server_port}"
    thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield state
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()
