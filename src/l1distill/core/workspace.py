"""Write output folders and files all or nothing, and compute the hashes that identify them."""

import hashlib
import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from l1distill.core.errors import ConfigError, DataError
from l1distill.core.resources import DISK_FULL

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


@dataclass(frozen=True, kw_only=True)
class Output:
    """The folders in which a stage writes while it runs.

    Attributes:
        target: the output folder.
        folder: becomes ``target`` when it is published; thrown away when it is not.
        work: survives a kill, so that a stage can go on where it stopped; removed by
            :meth:`publish`.
        lock: the file that is locked as long as a process writes ``target``; the kernel opens the
            lock when that process ends, however it does.
    """

    target: Path
    folder: Path
    work: Path
    lock: Path

    def publish(self) -> None:
        """Replace ``target`` by ``folder``.

        A process that is killed between the two renames leaves no ``target`` at all, never a
        mixed one.
        """
        old = self.target.parent / f".{self.target.name}.old"
        if self.target.exists():
            self.target.rename(old)
        self.folder.rename(self.target)
        for leftover in (old, self.work):
            shutil.rmtree(leftover, ignore_errors=True)


def work_folder(target: Path) -> Path:
    """Return the folder for work that outlives a kill, beside an output folder."""
    return target.absolute().parent / f".{target.name}.work"


@contextmanager
def output_folder(target: Path) -> Iterator[Output]:
    """Let a stage write beside ``target``, and replace that only when it is published.

    Args:
        target: the output folder, which may exist already and stays as it is until
            :meth:`Output.publish`.

    Yields:
        The folder to write into and a folder for work that outlives a kill.

    Raises:
        ConfigError: another process is writing ``target`` now, or the place cannot be written.
    """
    target = target.absolute()
    part, old = (target.parent / f".{target.name}.{end}" for end in ("part", "old"))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=target.parent).close()  # a lock blames others where this fails
        lock = FileLock(target.parent / f".{target.name}.lock", timeout=0)
        lock.acquire()
    except Timeout as error:
        raise ConfigError(
            f"{target}: another l1distill process is writing it; wait for it or choose another "
            "output="
        ) from error
    except OSError as error:
        if error.errno in DISK_FULL:
            raise
        raise ConfigError(
            f"{target}: cannot be written ({error.strerror}); choose another output="
        ) from error
    try:
        for leftover in (part, old):
            shutil.rmtree(leftover, ignore_errors=True)
        part.mkdir()
        yield Output(
            target=target, folder=part, work=work_folder(target), lock=Path(lock.lock_file)
        )
    finally:
        shutil.rmtree(part, ignore_errors=True)
        lock.release()


@contextmanager
def replaced_file(path: Path) -> Iterator[Path]:
    """Let a file be written under a temporary name, and rename it when it is complete.

    Args:
        path: the file; what is there stays as it is if the block raises.

    Yields:
        The path to write to.
    """
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as new:
        temporary = Path(new.name)
    try:
        yield temporary
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write ``content`` as sorted, indented JSON, all or nothing.

    Args:
        path: the file.
        content: anything :mod:`json` takes; NaN and infinity are refused.

    Raises:
        ValueError: a value is NaN or infinite.
    """
    write_text(path, json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to a file, all or nothing."""
    with replaced_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_arrays(path: Path, arrays: Mapping[str, "ArrayLike"]) -> None:
    """Write arrays as an ``.npz`` file, all or nothing.

    ``numpy.savez`` leaves its archive open when the disk is full; the archive then complains in a
    traceback of its own when it is collected.

    Args:
        path: the file.
        arrays: by name, as ``numpy.load`` gives them.
    """
    import numpy as np

    write_array: Any = np.lib.format.write_array
    with replaced_file(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                write_array(member, np.asarray(array), allow_pickle=False)


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        DataError: the file is missing or is not a JSON object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; run the stage that writes it first") from error
    except (ValueError, OSError) as error:
        raise DataError(f"{path}: cannot be read as JSON ({error}); write it anew") from error
    if not isinstance(content, dict):
        raise DataError(f"{path}: holds no JSON object; write it anew")
    return content


def file_sha256(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file's bytes.

    A process reads a file once for it, as long as size and time of change stay the same: inputs
    are held against their records by whoever uses them.
    """
    stat = path.stat()
    return _sha256(path, (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns))


@lru_cache(maxsize=4096)
def _sha256(path: Path, _identity: tuple[int, ...]) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_sha256(folder: Path) -> str:
    """Return one hash for the names and bytes of all files below ``folder``.

    This is the identity of a stage's output: it is the same in every clone and on every machine,
    and it holds no time, path or tracking id.
    """
    lines = "".join(f"{name}\0{sha256}\n" for name, sha256 in file_hashes(folder).items())
    return hashlib.sha256(lines.encode()).hexdigest()


def file_hashes(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file below ``folder``, by its sorted relative path."""
    return {
        path.relative_to(folder).as_posix(): file_sha256(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
