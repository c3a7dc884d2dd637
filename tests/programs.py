"""Where programs of the system are: Debian keeps some out of the search path."""

import os
import shutil
from pathlib import Path


def find_program(name: str) -> str | None:
    """Returns the path of a program, or None where it is not installed.

    Servers are out of the search path of ordinary users, and PostgreSQL's of anybody's.
    """
    postgresql = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parts[-2]))
    folders = [*map(str, reversed(postgresql)), os.environ.get("PATH", os.defpath), "/usr/sbin"]
    return shutil.which(name, path=os.pathsep.join(folders))


def program(name: str) -> str:
    """Returns the path of a program that a test needs."""
    found = find_program(name)
    assert found is not None, f"{name} is not installed; .ci/run installs it"
    return found
