"""Find out who runs this, and from which commit."""

import getpass
import hashlib
import os
import socket
import subprocess
from pathlib import Path


def version_tags() -> dict[str, str]:
    """Return the commit and the DVC lock of the checkout that the process was started in."""
    try:
        git = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        )
        commit = git.stdout.strip()
    except (OSError, subprocess.CalledProcessError):  # no git, or no checkout
        commit = "unknown"
    lock = Path("dvc.lock")
    return {
        "git_commit": commit,
        "dvc_lock_md5": (
            hashlib.md5(lock.read_bytes(), usedforsecurity=False).hexdigest()
            if lock.is_file()
            else "none"
        ),
    }


def user_and_host() -> str:
    """Return who runs this and where, as ``user@host``."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a container without a user database
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"
