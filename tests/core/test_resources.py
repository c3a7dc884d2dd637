import errno
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from l1distill.core import resources
from l1distill.core.errors import DataError, ResourceError
from l1distill.core.resources import exception_chain, resource_errors_as_one_line


def _raise(error: BaseException) -> NoReturn:
    raise error


def _as_hdf5_does(error: OSError) -> NoReturn:
    """Several lines, and the reason only in the cause."""
    try:
        raise error
    except OSError as cause:
        raise RuntimeError("Can't write data\nfile write failed: errno = 28") from cause


def _as_shutil_does() -> NoReturn:
    """A list of all files of a folder that could not be copied."""
    fine = ("a", "to/a", "[Errno 13] Permission denied")
    full = ("b", "to/b", "[Errno 28] No space left on device: 'to/b'")
    raise shutil.Error([fine, full])


FULL = OSError(errno.ENOSPC, "No space left on device", "out/model.h5")


@pytest.mark.parametrize(
    ("fail", "says"),
    [
        (lambda: _raise(FULL), "out/model.h5: No space left on device; make room"),
        (lambda: _raise(OSError(errno.EDQUOT, "x", "f")), "f: Disk quota exceeded; make room"),
        (lambda: _raise(OSError(errno.EFBIG, "x", "f")), "f: File too large; make room"),
        (lambda: _raise(OSError(errno.ENOSPC, "x", "a", None, "b")), "b: No space left"),
        (lambda: _raise(OSError(errno.ENOSPC, "x")), "out: No space left on device; make room"),
        (lambda: _as_hdf5_does(FULL), "out/model.h5: No space left on device; make room"),
        (_as_shutil_does, "to/b: No space left on device; make room"),
        (lambda: _raise(OSError("Not enough free space to write 8 bytes")), "out: No space left"),
        (lambda: _raise(OSError("10000 requested and 224 written")), "out: No space left"),
        (lambda: _raise(MemoryError()), "out: out of memory (none left); close other programs"),
        (lambda: _raise(MemoryError("Unable to allocate 9 TiB")), "(Unable to allocate 9 TiB)"),
    ],
)
def test_a_full_disk_or_memory_is_one_line(fail: Callable[[], NoReturn], says: str) -> None:
    with pytest.raises(ResourceError) as refusal, resource_errors_as_one_line("out"):
        fail()
    (line,) = str(refusal.value).splitlines()
    assert says in line
    assert "run the stage again, earlier outputs are as they were" in line
    assert refusal.value.exit_status == 1
    assert refusal.value.__cause__ is not None


@pytest.mark.parametrize(
    "error",
    [
        DataError("out: ours"),
        OSError(errno.EACCES, "Permission denied"),
        OSError("of no known kind"),
        shutil.Error([("a", "to/a", "[Errno 13] Permission denied")]),
        KeyError("x"),
        KeyboardInterrupt(),
    ],
)
def test_other_errors_are_let_through(error: BaseException) -> None:
    with pytest.raises(type(error)) as raised, resource_errors_as_one_line("out"):
        raise error
    assert raised.value is error


def test_a_full_folder_of_temporary_files_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tempfile.gettempdir()
    monkeypatch.setattr(resources, "_is_full", lambda folder: str(folder) == temporary)
    full = rf"^{temporary}: No space left on device"
    with (
        pytest.raises(ResourceError, match=full),
        resource_errors_as_one_line(tmp_path / "not/there/yet"),
    ):
        raise OSError(errno.ENOSPC, "x")


def test_a_chain_ends_with_the_first_cause_also_where_it_bites_its_tail() -> None:
    first, second, third = ValueError("1"), TypeError("2"), KeyError("3")
    third.__cause__, second.__context__ = second, first
    assert list(exception_chain(third)) == [third, second, first]
    first.__context__ = third
    assert list(exception_chain(third)) == [third, second, first]
    assert list(exception_chain(None)) == []
