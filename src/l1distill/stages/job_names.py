"""Names of jobs: what tells a job from the others of its sweep, as a folder may be called."""

import hashlib
import re
from collections.abc import Mapping, Sequence

SEED = "seed"
SWEEP = "L1DISTILL_SWEEP"
"""Environment variable with the folder of a sweep in ``multirun/``, for ``conf/platform.yaml``;
launchers hand it to their workers."""
_WHERE = ("hydra", "tracking.", "executor")
"""Beginnings of overrides that do not change what comes out."""
LONGEST = 120
"""Characters of a name; file systems take 255."""


def job_name(varied: Mapping[str, str]) -> str:
    """Return the name of a job, as ``student.weight_bits=4,seed=0``.

    Args:
        varied: the values that are swept, by their keys; an experiment is known by its own name.
    """
    plain = ",".join(_part(key, value) for key, value in varied.items())
    # paths may end alike
    return _marked(plain) if "/" in plain else _within_limit(plain)


def sweep_folder(words: Sequence[str]) -> str:
    """Return the name of a sweep's folder: the same for the same overrides, another for others.

    Args:
        words: the overrides; those that say where jobs run or are logged do not count.
    """
    overrides = (word.partition("=") for word in words)
    parts = [
        _part(key.lstrip("+~"), value)
        for key, _, value in overrides
        if not key.lstrip("+~").startswith(_WHERE)
    ]
    plain = ",".join(parts) or "sweep"
    return _within_limit(plain) if _plain(plain) == plain else _marked(plain)


def _plain(name: str) -> str:
    return re.sub(r"[^\w.=,+-]+", "-", name.replace("[", "").replace("]", ""))


def _within_limit(name: str) -> str:
    return _plain(name) if len(_plain(name)) <= LONGEST else _marked(name)


def _marked(name: str) -> str:
    """Return a name as a folder may be called, with a mark of what is cut or replaced in it."""
    mark = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{_plain(name)[: LONGEST - 9]}-{mark}"


def group_of(varied: Mapping[str, str]) -> str:
    """Return what a job shares with those that differ from it in the seed only."""
    return job_name({key: value for key, value in varied.items() if key != SEED})


def named(name: str, text: str, of: str = "") -> str:
    """Return a line about a job with its name before it, once.

    The only job of a pipeline may be called ``pipeline``, after its folder, and what is said of the
    job ``data=own`` may begin with that.

    Args:
        name: of the job.
        text: what is said.
        of: the command that says so, where that stands before the line.
    """
    begins_with_it = name == of or text == name or text.startswith(f"{name}: ")
    return text if begins_with_it else f"{name}: {text}"


def _part(key: str, value: str) -> str:
    return value if key.partition("@")[0] == "experiment" else f"{key}={value}"
