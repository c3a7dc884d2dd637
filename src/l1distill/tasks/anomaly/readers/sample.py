"""What a reader hands over: samples, their files, and chunks of events."""

import glob
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from l1distill.core.errors import DataError, L1DistillError, first_line
from l1distill.tasks.anomaly.dataset import BACKGROUND
from l1distill.tasks.anomaly.readers.settings import SampleFiles


class Chunk(NamedTuple):
    """Some events of a file, as the file has them.

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


class SourceFile(NamedTuple):
    """A file to read.

    Attributes:
        name: its path or URL.
        events: how many events to read, from the first on.
    """

    name: str
    events: int

    @property
    def path(self) -> Path | None:
        """Where it is on this machine; None for a URL."""
        return None if is_remote(self.name) else Path(self.name)

    @property
    def short_name(self) -> str:
        """Its name without folders, host or query."""
        return Path(urlsplit(self.name).path if is_remote(self.name) else self.name).name


class Sample(NamedTuple):
    """A sample to import.

    Attributes:
        name: background, or the signal.
        files: what to read, in this order.
        chunks: yields a file's events.
        recipe: all that decides, besides the content of the files, what becomes of them; None
            if the files are so quick to read that a converted copy is not worth its place.
        notes: sentences on what is unknown or was chosen.
    """

    name: str
    files: Sequence[SourceFile]
    chunks: Callable[[SourceFile], Iterator[Chunk]]
    recipe: Mapping[str, Any] | None
    notes: Sequence[str]


def is_remote(name: str) -> bool:
    """Says whether this is a URL."""
    return "://" in name


def find_files(files: SampleFiles) -> dict[str, list[str]]:
    """Finds the files of every sample that is not left out, the background first.

    Raises:
        DataError: there is no background, a file is missing, a glob matches nothing, or a file is
            named twice.
    """
    if files.background is None:
        raise DataError(str(files.lacking))
    found = {BACKGROUND: _expand("data.files.background", files.background)}
    for name, paths in files.signals.items():
        if paths is not None:
            found[name] = _expand(f"data.files.signals.{name}", paths)
    return found


def _expand(key: str, patterns: Sequence[str]) -> list[str]:
    names: list[str] = []
    for pattern in patterns:
        for name in _matches(key, pattern):
            if name in names:
                raise DataError(f"{key}: names {name} twice; its events would count twice")
            names.append(name)
    return names


def _matches(key: str, pattern: str) -> list[str]:
    if is_remote(pattern):
        return _remote_matches(key, pattern)
    path = Path(pattern).expanduser()
    if path.is_dir():
        raise DataError(f"{key}={pattern}: a folder; give files, for example {path / '*'}")
    if path.exists():  # perhaps with brackets in its name
        return [str(path)]
    if not glob.has_magic(pattern):
        raise DataError(f"{key}={pattern}: no such file")
    # pathlib's glob would match hidden files, for example unfinished copies
    names = glob.glob(str(path), recursive=True)  # noqa: PTH207
    found = sorted(name for name in names if Path(name).is_file())
    if not found:
        raise DataError(f"{key}={pattern}: matches no file")
    return found


def _remote_matches(key: str, pattern: str) -> list[str]:
    if "*" not in urlsplit(pattern).path:  # a ? begins the query of a URL
        return [pattern]
    import fsspec  # type: ignore[import-untyped]

    with readable(f"{key}={pattern}"):
        system, path = fsspec.url_to_fs(pattern)
        found = sorted(system.unstrip_protocol(name) for name in system.glob(path))
    if not found:
        raise DataError(f"{key}={pattern}: matches no file")
    return found


@contextmanager
def readable(name: str) -> Iterator[None]:
    """Turns whatever uproot and fsspec raise for a file into one line.

    Raises:
        DataError: anything was raised.
    """
    try:
        yield
    except L1DistillError:
        raise
    except ImportError as error:  # a protocol whose package is not here
        what = first_line(error).split(". ")[0]
        raise DataError(
            f"{name}: {what}; install that beside l1distill, or copy the file here"
        ) from error
    except FileNotFoundError as error:
        raise DataError(f"{name}: no such file; correct the path") from error
    except Exception as error:  # of the network, the decompressors or the format: any class
        what = textwrap.shorten(str(error) or type(error).__name__, 160)
        raise DataError(
            f"{name}: cannot be read ({what}); correct the path or copy the file again"
        ) from error


def limited(events: Mapping[str, int], limit: int | None) -> list[SourceFile]:
    """Shares ``limit`` out to files, the first ones first.

    Args:
        events: file to the number of its events.
        limit: events to read in all; None for all.

    Returns:
        The files from which there is something to read.
    """
    files = []
    left = sum(events.values()) if limit is None else limit
    for name, there in events.items():
        files.append(SourceFile(name, min(there, left)))
        left -= files[-1].events
    return [file for file in files if file.events]
