"""A full disk and exhausted memory: known by their many names, and said in one line."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from l1distill.core.errors import L1DistillError, ResourceError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_OF_NUMPY = ("Not enough free space", "requested and")
"""What ``numpy.save`` says to a full disk, without an error number."""
_LITTLE = 2**20
"""A disk with fewer bytes than this is taken for the one that is full."""


@contextmanager
def enough(where: Path | str) -> Iterator[None]:
    """Says in one line that the disk is full or that memory has run out.

    Args:
        where: the file or folder that the block writes, for errors that do not name it.

    Raises:
        ResourceError: no more room, no more memory.
    """
    try:
        yield
    except L1DistillError:
        raise
    except MemoryError as error:
        reason = str(error) or "no more to be had"
        raise ResourceError(
            f"{where}: out of memory ({reason}); earlier outputs are as they were"
        ) from error
    except Exception as error:
        found = _full_disk(error, where)
        if found is None:
            raise
        raise ResourceError(
            f"{found}; make room and run the stage again, earlier outputs are as they were"
        ) from error


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yields an error and what it was raised because of, the first cause last."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _full_disk(error: Exception, where: Path | str) -> str | None:
    """Returns which file met a full disk, and the system's word for it."""
    for cause in causes(error):
        if not isinstance(cause, OSError):
            continue
        if cause.errno in _FULL:  # its own text may be of several lines, as that of HDF5 is
            name = cause.filename2 or cause.filename or _full_of(where)
            return f"{name}: {os.strerror(cause.errno)}"
        if isinstance(cause, shutil.Error):  # of a whole folder: (from, to, why) of each file
            for _, target, why in cause.args[0]:
                for number in _FULL:
                    if f"[Errno {number}]" in str(why):
                        return f"{target}: {os.strerror(number)}"
        if cause.errno is None and any(words in str(cause) for words in _OF_NUMPY):
            return f"{_full_of(where)}: {os.strerror(errno.ENOSPC)}"
    return None


def _full_of(where: Path | str) -> Path | str:
    """Returns ``where``, or the folder of temporary files if that is what is full."""
    folder = Path(where)
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    temporary = tempfile.gettempdir()
    return temporary if _is_full(temporary) and not _is_full(folder) else where


def _is_full(folder: Path | str) -> bool:
    return shutil.disk_usage(folder).free < _LITTLE
