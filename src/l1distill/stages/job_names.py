"""Names of jobs: what tells a job from the others of its sweep, as a folder may be called."""

import hashlib
import re
from collections.abc import Mapping

SEED = "seed"
LONGEST = 120
"""Characters of a name; file systems take 255."""


def job_name(varied: Mapping[str, str]) -> str:
    """Return the name of a job, as ``student.weight_bits=4,seed=0``.

    Args:
        varied: the values that are swept, by their keys; an experiment is known by its own name.
    """
    parts = [_part(key, value) for key, value in varied.items()]
    plain = ",".join(parts)
    name = re.sub(r"[^\w.=,+-]+", "-", plain.replace("[", "").replace("]", ""))
    if len(name) > LONGEST or "/" in plain:  # cut, or two paths that may end alike
        mark = hashlib.sha256(plain.encode()).hexdigest()[:8]
        name = f"{name[: LONGEST - 9]}-{mark}"
    return name


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
