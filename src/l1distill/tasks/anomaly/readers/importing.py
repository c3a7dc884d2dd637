"""Import files of events as the samples of a data set."""

import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock
from pydantic import ValidationError

from l1distill.core.errors import DataError
from l1distill.core.settings import Settings
from l1distill.core.workspace import file_sha256, write_text
from l1distill.data.card import FileCard, SourceCard
from l1distill.tasks.anomaly.event_files import EventSpool
from l1distill.tasks.anomaly.events import Events
from l1distill.tasks.anomaly.readers import nanoaod, own, public
from l1distill.tasks.anomaly.readers.checks import normalize
from l1distill.tasks.anomaly.readers.sample import Sample
from l1distill.tasks.anomaly.readers.settings import EventFiles, NanoAodFiles, PublicFiles

_FORMAT = 1
"""Version of the conversion: to be raised when the same files give other events, so that converted
copies are made anew."""

Progress = Callable[[int], None]


@dataclass(frozen=True, kw_only=True)
class Imported:
    """The result of an import.

    Attributes:
        files: sample, background first, to what its file holds.
        sources: where the events came from.
        notes: sentences on what was put right, chosen, left out, or is unknown.
        skipped: those of the notes that are on files that were not read.
    """

    files: dict[str, FileCard]
    sources: list[SourceCard]
    notes: list[str]
    skipped: list[str]


class _Converted(Settings):
    """Record of a converted sample, kept beside its copy in the cache."""

    file: FileCard
    """Its events by part, and its hash."""
    kept: list[int]
    """Events taken from each source file."""
    repairs: dict[str, int]
    """Number of events that were repaired, by defect."""


def count_events(files: EventFiles) -> int:
    """Count the events that an import will look at, from the headers of the files.

    Raises:
        DataError: a file is missing or of another format.
    """
    return sum(file.events for sample in _plan(files) for file in sample.files)


def import_files(
    files: EventFiles, output: Path, progress: Progress | None, cache: Path
) -> Imported:
    """Write ``<sample>.h5`` for the background and each signal.

    Files are read a chunk at a time. A sample that was converted before, from files of the same
    content by the same settings, is taken from the cache.

    Args:
        files: what to read, and how.
        output: folder to write into; must exist.
        progress: called with the number of events looked at since the last call.
        cache: folder for converted samples; made if need be.

    Raises:
        DataError: a file is missing, damaged or out of reach, or its content is not events.
    """
    report = progress if progress is not None else _ignore
    imported = Imported(files={}, sources=[], notes=[], skipped=[])
    for sample in _plan(files):
        target = output / f"{sample.name}.h5"
        key = _key(sample)
        if key is None:
            converted = _convert(sample, target, report)
        else:
            converted = _cached(sample, cache, key, target, report)
        imported.files[sample.name] = converted.file
        for file, kept in zip(sample.files, converted.kept, strict=True):
            sha256 = None if file.path is None else file_sha256(file.path)
            imported.sources.append(
                SourceCard(sample=sample.name, file=file.short_name, sha256=sha256, events=kept)
            )
        imported.notes.extend(
            note for note in _notes(sample, converted) if note not in imported.notes
        )
        imported.skipped.extend(sample.skipped)
    return imported


def _plan(files: EventFiles) -> list[Sample]:
    if isinstance(files, PublicFiles):
        return public.plan(files)
    if isinstance(files, NanoAodFiles):
        return nanoaod.plan(files)
    return own.plan(files)


def _ignore(events: int) -> None:
    """Do nothing, where there is no progress display."""


def _key(sample: Sample) -> str | None:
    """Compute the cache key of a converted sample; None if it is not to be kept.

    The order of the files counts, since it is that of the events.
    """
    content = [(file_sha256(file.path), file.events) for file in sample.files if file.path]
    if sample.recipe is None or len(content) < len(sample.files):
        return None
    text = json.dumps([_FORMAT, sample.recipe, content], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _cached(sample: Sample, cache: Path, key: str, target: Path, report: Progress) -> _Converted:
    """Put the converted sample at ``target``, converting it only if the cache has it not."""
    cache.mkdir(parents=True, exist_ok=True)
    copy, account = cache / f"{key}.h5", cache / f"{key}.json"
    with FileLock(cache / f".{key}.lock"):  # two imports at once convert once
        converted = _look_up(copy, account)
        if converted is None:
            converted = _convert(sample, copy, report)
            write_text(account, converted.model_dump_json(indent=2) + "\n")
        else:
            report(sum(file.events for file in sample.files))
        target.unlink(missing_ok=True)
        try:
            os.link(copy, target)
        except OSError:  # another file system
            shutil.copyfile(copy, target)
    return converted


def _look_up(copy: Path, account: Path) -> _Converted | None:
    """Read the record of a converted sample, if its copy is there and complete."""
    try:
        converted = _Converted.model_validate_json(account.read_text(encoding="utf-8"))
        return converted if file_sha256(copy) == converted.file.sha256 else None
    except (FileNotFoundError, UnicodeDecodeError, ValidationError):
        return None


def _convert(sample: Sample, target: Path, report: Progress) -> _Converted:
    repairs: Counter[str] = Counter()
    kept = []
    if not sample.files:
        raise DataError(f"{sample.name}: its files hold no events; give others")
    with EventSpool(target) as spool:
        for file in sample.files:
            before = sum(spool.counts.values())
            for chunk in sample.chunks(file):
                objects, repaired = normalize(file.name, chunk.number, chunk.objects)
                repairs.update(repaired)
                spool.append(Events(objects=objects, process=chunk.process))
                report(chunk.read)
            kept.append(sum(spool.counts.values()) - before)
        if not sum(kept):
            raise DataError(
                f"{sample.name}: none of its events is left after the selection; "
                "loosen data.files.filter or give other files"
            )
    counts = FileCard(**spool.counts, sha256=file_sha256(target))
    return _Converted(
        file=counts, kept=kept, repairs={defect: n for defect, n in repairs.items() if n}
    )


def _notes(sample: Sample, converted: _Converted) -> list[str]:
    """Return the sentences about a sample that belong on the data card."""
    events = converted.file.events
    notes = [*sample.notes, *sample.skipped]
    for defect, count in converted.repairs.items():
        notes.append(f"{sample.name}: {count} of {events} events {defect}.")
    remote = sum(file.path is None for file in sample.files)
    if remote:
        notes.append(f"{sample.name}: {remote} remote files; their content has no hash here.")
    return notes
