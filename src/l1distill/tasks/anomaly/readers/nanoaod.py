"""Plan the import of CMS NanoAOD files."""

from collections.abc import Mapping
from functools import partial

from l1distill.tasks.anomaly.readers.nanoaod_branches import (
    COLLECTIONS,
    IDENTIFICATION,
    OFF,
    Header,
    Selection,
    choose,
    read_header,
)
from l1distill.tasks.anomaly.readers.nanoaod_events import read
from l1distill.tasks.anomaly.readers.sample import Sample, SourceFile, find_files, limited
from l1distill.tasks.anomaly.readers.settings import NanoAodFiles


def plan(files: NanoAodFiles) -> list[Sample]:
    """Plan the import from the headers of all files.

    Raises:
        DataError: a file is out of reach or lacks a branch.
    """
    paths_of = find_files(files)
    headers = {name: read_header(name, files.tree) for paths in paths_of.values() for name in paths}
    selection = choose(files, {name: header for name, header in headers.items() if header.events})
    recipe = files.model_dump(exclude={"background", "signals", "limit", "chunk"})
    recipe |= {
        "met": selection.met,
        "identification": selection.identification,
        "collections": selection.collections,
    }
    return [
        Sample(
            name=sample,
            files=limited({path: headers[path].events for path in paths}, files.limit),
            chunks=partial(read, selection),
            recipe=recipe,
            notes=_notes(selection),
            skipped=_empty_files(sample, paths, headers),
        )
        for sample, paths in paths_of.items()
    ]


def _empty_files(sample: str, paths: list[str], headers: Mapping[str, Header]) -> list[str]:
    """Return a sentence on the files of a sample that hold no events: jobs that kept none."""
    empty = [path for path in paths if not headers[path].events]
    if not empty:
        return []
    names = ", ".join(SourceFile(name=path, events=0).short_name for path in empty)
    count = f"{len(empty)} of {len(paths)} files hold no events and were skipped"
    return [f"{sample}: {count}: {names}."]


def _notes(selection: Selection) -> list[str]:
    files = selection.files
    notes = [
        "The events come from CMS NanoAOD: offline objects, not those of the Level-1 trigger.",
        "The process of a background event is not known.",
        f"MET is {selection.met} of NanoAOD.",
    ]
    notes += [
        f"No {collection}: files lack these branches, and all samples are without such objects."
        for collection in COLLECTIONS
        if collection not in selection.collections
    ]
    notes += [
        f"Leptons were not identified by {branch}: "
        + ("not asked for." if getattr(files, key) in OFF else "the files have no such branch.")
        for branch, key in IDENTIFICATION.items()
        if branch not in selection.identification and branch.split("_")[0] in selection.collections
    ]
    if files.filter is None:
        notes.append("No lepton filter: events without a hard lepton are among them.")
    return notes
