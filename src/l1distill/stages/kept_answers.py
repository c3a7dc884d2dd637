"""Keep what a trained teacher answers to made-up items: the next student learns the same.

Students of a sweep or a search share their pseudo-items, and a teacher is slower than they are.
"""

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from l1distill import __version__
from l1distill.core.workspace import write_arrays

FOLDER = ".answers"
"""Beside the folder of a teacher; whatever is in it may be deleted."""
_NAME = "answers"


def kept_answers(
    teacher: Path,
    identity: Sequence[str],
    items: NDArray[Any],
    ask: Callable[[], NDArray[np.float32]],
) -> NDArray[np.float32]:
    """Return answers that were kept, or ask for them and keep them.

    Two processes that want the same ask once. Where nothing can be kept, each asks for itself.

    Args:
        teacher: its folder.
        identity: what decides beside the items: the hash of the folder, and which answer.
        items: (n, ...) that are asked about.
        ask: gives the answers.
    """
    head = [__version__, *identity, items.shape, items.dtype.str]
    digest = hashlib.sha256(json.dumps(head).encode())
    digest.update(np.ascontiguousarray(items).data)
    path = teacher.parent / FOLDER / f"{digest.hexdigest()}.npz"
    with _alone(path):
        answers = _read(path)
        if answers is None:
            answers = ask()
            with suppress(OSError):  # of a teacher that may only be read
                write_arrays(path, {_NAME: answers})
    return answers


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep others who want the same waiting, where the file system can."""
    with ExitStack() as stack:
        with suppress(OSError):
            path.parent.mkdir(exist_ok=True)
            stack.enter_context(FileLock(path.with_suffix(".lock")))
        yield


def _read(path: Path) -> NDArray[np.float32] | None:
    """Read what was kept; None where there is nothing, or it is damaged."""
    try:
        with np.load(path, allow_pickle=False) as kept:
            answers: NDArray[np.float32] = kept[_NAME]
            return answers
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
