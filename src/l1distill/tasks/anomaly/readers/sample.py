"""Samples to import, their files, and chunks of their events."""

import glob
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from l1distill.core.errors import (
    ConfigError,
    DataError,
    L1DistillError,
    ToolError,
    first_line,
)
from l1distill.tasks.anomaly.dataset import BACKGROUND
from l1distill.tasks.anomaly.readers.settings import SampleFiles


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Some events of a file, before they are normalized.

    Attributes:
        objects: (n, 19, 3) pT [GeV], eta, phi [rad].
        number: (n,) of each event in its file, from 0.
        read: events of the file that were looked at for these.
        process: (n,) index into ``events.PROCESSES``, or None where it is not known.
    """

    objects: NDArray[np.floating[Any]]
    number: NDArray[np.int64]
    read: int
    process: NDArray[np.int8] | None = None


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """A file to read.

    Attributes:
        name: its path or URL.
        events: how many events to read, from the first on.
    """

    name: str
    events: int

    @property
    def path(self) -> Path | None:
        """Its path on this machine; None for a URL."""
        return None if is_remote(self.name) else Path(self.name)

    @property
    def short_name(self) -> str:
        """Its name without folders, host or query."""
        return Path(urlsplit(self.name).path if is_remote(self.name) else self.name).name


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A sample to import.

    Attributes:
        name: background, or the signal.
        files: what to read, in this order.
        chunks: yields a file's events.
        recipe: all that decides the result besides the content of the files; None if the files
            are so quick to read that a converted copy is not worth its space.
        notes: sentences for the data card on choices and on what is unknown.
        skipped: a sentence on files that are not read, for the terminal and the card.
    """

    name: str
    files: Sequence[SourceFile]
    chunks: Callable[[SourceFile], Iterator[Chunk]]
    recipe: Mapping[str, Any] | None
    notes: Sequence[str]
    skipped: Sequence[str] = ()


def is_remote(name: str) -> bool:
    """Return whether this is a URL."""
    return "://" in name


def find_files(files: SampleFiles) -> dict[str, list[str]]:
    """Find the files of every sample that is not left out, the background first.

    Raises:
        ConfigError: there is no background, or a key names a folder or a file twice.
        DataError: a file is missing, or a glob matches nothing.
        ToolError: a package for the protocol of a URL is missing.
    """
    if files.background is None:
        raise ConfigError(str(files.lacking))
    paths_of = {BACKGROUND: _expand("data.files.background", files.background)}
    for name, paths in files.signals.items():
        if paths is not None:
            paths_of[name] = _expand(f"data.files.signals.{name}", paths)
    return paths_of


def _expand(key: str, patterns: Sequence[str]) -> list[str]:
    names: list[str] = []
    for pattern in patterns:
        for name in _matches(key, pattern):
            if name in names:
                raise ConfigError(f"{key}: names {name} twice; its events would count twice")
            names.append(name)
    return names


def _matches(key: str, pattern: str) -> list[str]:
    if is_remote(pattern):
        return _remote_matches(key, pattern)
    path = Path(pattern).expanduser()
    if path.is_dir():
        raise ConfigError(f"{key}={pattern}: a folder; give files, for example {path / '*'}")
    if path.exists():  # perhaps with brackets in its name
        return [str(path)]
    if not glob.has_magic(pattern):
        raise DataError(f"{key}={pattern}: no such file; correct the path")
    # pathlib's glob would match hidden files, for example unfinished copies
    names = glob.glob(str(path), recursive=True)  # noqa: PTH207
    matches = sorted(name for name in names if Path(name).is_file())
    if not matches:
        raise DataError(f"{key}={pattern}: matches no file; correct the pattern")
    return matches


def _remote_matches(key: str, pattern: str) -> list[str]:
    if "*" not in urlsplit(pattern).path:  # a ? begins the query of a URL
        return [pattern]
    import fsspec  # type: ignore[import-untyped]

    with readable(f"{key}={pattern}"):
        system, path = fsspec.url_to_fs(pattern)
        matches = sorted(system.unstrip_protocol(name) for name in system.glob(path))
    if not matches:
        raise DataError(f"{key}={pattern}: matches no file; correct the pattern")
    return matches


@contextmanager
def readable(name: str) -> Iterator[None]:
    """Turn whatever uproot and fsspec raise for a file into a one-line error.

    Raises:
        ToolError: a package for the file's protocol or compression is missing.
        DataError: anything else was raised.
    """
    try:
        yield
    except L1DistillError:
        raise
    except ImportError as error:  # a protocol whose package is not here
        reason = first_line(error).split(". ")[0]
        raise ToolError(
            f"{name}: {reason}; install that beside l1distill, or copy the file here"
        ) from error
    except FileNotFoundError as error:
        raise DataError(f"{name}: no such file; correct the path") from error
    except Exception as error:  # of the network, the decompressors or the format: any class
        reason = textwrap.shorten(str(error) or type(error).__name__, 160)
        raise DataError(
            f"{name}: cannot be read ({reason}); correct the path or copy the file again"
        ) from error


def limited(events: Mapping[str, int], limit: int | None) -> list[SourceFile]:
    """Share a limit on the number of events out to files, the first ones first.

    Args:
        events: file to the number of its events.
        limit: events to read in all; None for all.

    Returns:
        The files from which there is something to read.
    """
    files = []
    left = sum(events.values()) if limit is None else limit
    for name, there in events.items():
        files.append(SourceFile(name=name, events=min(there, left)))
        left -= files[-1].events
    return [file for file in files if file.events]
