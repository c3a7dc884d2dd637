"""Plan the import of CMS NanoAOD files."""

from functools import partial

from l1distill.tasks.anomaly.readers.nanoaod_branches import (
    IDENTIFICATION,
    OFF,
    Selection,
    choose,
    read_header,
)
from l1distill.tasks.anomaly.readers.nanoaod_events import read
from l1distill.tasks.anomaly.readers.sample import Sample, find_files, limited
from l1distill.tasks.anomaly.readers.settings import NanoAodFiles


def plan(files: NanoAodFiles) -> list[Sample]:
    """Plan the import from the headers of all files.

    Raises:
        DataError: a file is out of reach or lacks a branch.
    """
    paths_of = find_files(files)
    headers = {name: read_header(name, files.tree) for paths in paths_of.values() for name in paths}
    selection = choose(files, headers)
    recipe = files.model_dump(exclude={"background", "signals", "limit", "chunk"})
    recipe |= {"met": selection.met, "identification": selection.identification}
    return [
        Sample(
            name=sample,
            files=limited({path: headers[path].events for path in paths}, files.limit),
            chunks=partial(read, selection),
            recipe=recipe,
            notes=_notes(selection),
        )
        for sample, paths in paths_of.items()
    ]


def _notes(selection: Selection) -> list[str]:
    files = selection.files
    notes = [
        "The events come from CMS NanoAOD: offline objects, not those of the Level-1 trigger.",
        "The process of a background event is not known.",
        f"MET is {selection.met} of NanoAOD.",
    ]
    notes += [
        f"Leptons were not identified by {branch}: "
        + ("not asked for." if getattr(files, key) in OFF else "the files have no such branch.")
        for branch, key in IDENTIFICATION.items()
        if branch not in selection.identification
    ]
    if files.filter is None:
        notes.append("No lepton filter: events without a hard lepton are among them.")
    return notes
