"""Folders that are whole or not there, and what identifies their content."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock, Timeout

from l1distill.core.errors import DataError


class Output(NamedTuple):
    """Where a stage writes while it runs."""

    target: Path
    """The output folder."""
    folder: Path
    """Becomes ``target`` when it is published; thrown away when it is not."""
    work: Path
    """Survives a kill, so that a stage can go on where it stopped; removed by ``publish``."""

    def publish(self) -> None:
        """Puts ``folder`` in the place of ``target``.

        A process that is killed between the two renames leaves no ``target`` at all, never a
        mixed one.
        """
        old = self.target.parent / f".{self.target.name}.old"
        if self.target.exists():
            self.target.rename(old)
        self.folder.rename(self.target)
        for leftover in (old, self.work):
            shutil.rmtree(leftover, ignore_errors=True)


@contextmanager
def output_folder(target: Path) -> Iterator[Output]:
    """Lets a stage write beside ``target``, and keep it only when it says so.

    Args:
        target: the output folder, which may exist already and stays as it is until
            :meth:`Output.publish`.

    Yields:
        The folder to write into and a folder for work that outlives a kill.

    Raises:
        DataError: another process is writing ``target`` now, or the place cannot be written.
    """
    target = target.absolute()
    part, work, old = (target.parent / f".{target.name}.{end}" for end in ("part", "work", "old"))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(target.parent / f".{target.name}.lock", timeout=0)
        lock.acquire()
    except Timeout as error:
        raise DataError(
            f"{target}: another l1distill process is writing it; wait for it or choose another "
            "output="
        ) from error
    except OSError as error:
        raise DataError(
            f"{target}: cannot be written ({error.strerror}); choose another output="
        ) from error
    try:
        for leftover in (part, old):
            shutil.rmtree(leftover, ignore_errors=True)
        part.mkdir()
        yield Output(target, part, work)
    finally:
        shutil.rmtree(part, ignore_errors=True)
        lock.release()


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Writes ``content`` as sorted, indented JSON, all or nothing.

    Args:
        path: the file.
        content: anything :mod:`json` takes; NaN and infinity are refused.

    Raises:
        ValueError: a value is NaN or infinite.
    """
    write_text(path, json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Writes ``text`` through a temporary name, so that it is there whole or not at all."""
    with tempfile.NamedTemporaryFile(
        "w", dir=path.parent, prefix=f".{path.name}.", delete=False, encoding="utf-8"
    ) as file:
        file.write(text)
    Path(file.name).chmod(0o644)
    Path(file.name).replace(path)


def read_json(path: Path) -> dict[str, Any]:
    """Reads a JSON object.

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
    """Returns the hexadecimal SHA-256 of a file's bytes.

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
    """Returns one hash for the names and bytes of all files below ``folder``.

    This is the identity of a stage's output: it is the same in every clone and on every machine,
    and it holds no time, path or tracking id.
    """
    lines = "".join(f"{name}\0{sha256}\n" for name, sha256 in file_hashes(folder).items())
    return hashlib.sha256(lines.encode()).hexdigest()


def file_hashes(folder: Path) -> dict[str, str]:
    """Returns the SHA-256 of each file below ``folder``, by its sorted relative path."""
    return {
        path.relative_to(folder).as_posix(): file_sha256(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
