"""Turn disk-full and out-of-memory errors into one-line errors."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from l1distill.core.errors import L1DistillError, ResourceError

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Error numbers of a full disk, an exhausted quota and a file beyond the allowed size."""
_NUMPY_DISK_FULL = ("Not enough free space", "requested and")
"""Parts of the messages of ``numpy.save`` on a full disk, which carry no error number."""
_FULL_BELOW_BYTES = 2**20
"""A disk with less free space than this counts as full."""


@contextmanager
def resource_errors_as_one_line(path: Path | str) -> Iterator[None]:
    """Turn the disk-full and out-of-memory errors of a block into a :class:`ResourceError`.

    Args:
        path: the file or folder that the block writes, for errors that do not name it.

    Raises:
        ResourceError: the disk is full or memory is exhausted.
    """
    try:
        yield
    except L1DistillError:
        raise
    except MemoryError as error:
        reason = str(error) or "none left"
        raise ResourceError(
            f"{path}: out of memory ({reason}); close other programs or make the job smaller and "
            "run the stage again, earlier outputs are as they were"
        ) from error
    except Exception as error:
        disk_full = _disk_full_reason(error, path)
        if disk_full is None:
            raise
        raise ResourceError(
            f"{disk_full}; make room and run the stage again, earlier outputs are as they were"
        ) from error


def exception_chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and those that it was raised from, the first cause last."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _disk_full_reason(error: Exception, path: Path | str) -> str | None:
    """Return the file that met a full disk and the system's message; None for other errors."""
    for cause in exception_chain(error):
        if not isinstance(cause, OSError):
            continue
        if cause.errno in DISK_FULL:  # its own text may have several lines, as that of HDF5 has
            name = cause.filename2 or cause.filename or _full_path(path)
            return f"{name}: {os.strerror(cause.errno)}"
        if isinstance(cause, shutil.Error):  # copies of a folder: (from, to, reason) of each file
            for _, target, reason in cause.args[0]:
                for number in DISK_FULL:
                    if f"[Errno {number}]" in str(reason):
                        return f"{target}: {os.strerror(number)}"
        if cause.errno is None and any(words in str(cause) for words in _NUMPY_DISK_FULL):
            return f"{_full_path(path)}: {os.strerror(errno.ENOSPC)}"
    return None


def _full_path(path: Path | str) -> Path | str:
    """Return ``path``, or the folder of temporary files if only that one's disk is full."""
    folder = Path(path)
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    temporary = tempfile.gettempdir()
    return temporary if _is_full(temporary) and not _is_full(folder) else path


def _is_full(folder: Path | str) -> bool:
    return shutil.disk_usage(folder).free < _FULL_BELOW_BYTES
