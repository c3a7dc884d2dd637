"""Signs of life of workers, by which others know that a claim has lapsed."""

import os
import socket
import time
import uuid

LOST_S = 120.0
"""A worker without a sign of life for so long is taken for lost [s]."""


def worker_name() -> str:
    """Return a name that no other worker has; it says on which machine it runs, and as what."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


def is_lost(owner: str, seen: float) -> bool:
    """Tell whether a worker is dead: it shows no sign of life, or its process is gone."""
    if time.time() - seen > LOST_S:
        return True
    host, process, _ = owner.split(":")
    if host != socket.gethostname():
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
