"""Choose the branches of CMS NanoAOD files that events are read and selected by."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from l1distill.core.errors import DataError
from l1distill.tasks.anomaly.readers.sample import readable
from l1distill.tasks.anomaly.readers.settings import NanoAodFiles

KINEMATICS = ("pt", "eta", "phi")
COLLECTIONS = ("Electron", "Muon", "Jet")
OBJECT_BRANCHES = [f"{collection}_{name}" for collection in COLLECTIONS for name in KINEMATICS]
IDENTIFICATION = {
    "Electron_cutBased": "electron_cut_based_min",
    "Muon_looseId": "muon_loose_id",
    "Muon_pfRelIso04_all": "muon_isolation_max",
}
"""Branch that leptons are identified by, to the setting that asks for it."""
OFF = (None, False)
"""Values of these settings that switch an identification off."""
METS = ("PuppiMET", "MET", "PFMET")
_BRANCHES = [
    *OBJECT_BRANCHES,
    *IDENTIFICATION,
    *(f"{met}_{name}" for met in METS for name in ("pt", "phi")),
]


@dataclass(frozen=True, kw_only=True)
class Header:
    """Number of events of a file and its branches.

    Attributes:
        events: entries of its tree.
        branches: those of its branches that are used here.
    """

    events: int
    branches: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Selection:
    """How events are read and selected, the same for all files of an import.

    Attributes:
        files: the settings.
        collections: those that are read; the others of :data:`COLLECTIONS` are empty.
        met: prefix of the branches of MET.
        identification: the branches to identify leptons by.
    """

    files: NanoAodFiles
    collections: tuple[str, ...]
    met: str
    identification: tuple[str, ...]

    @property
    def branches(self) -> list[str]:
        """All branches that are read."""
        objects = [f"{name}_{column}" for name in self.collections for column in KINEMATICS]
        return [*objects, *self.identification, *met_branches(self.met)]


def read_header(name: str, tree: str) -> Header:
    """Read how many events a file has and which of the branches that are used here.

    Raises:
        DataError: the file is out of reach, is no ROOT file, or has no such tree.
    """
    with open_tree(name, tree) as events, readable(name):
        branches = frozenset(branch for branch in _BRANCHES if branch in events)
        return Header(events=events.num_entries, branches=branches)


def choose(files: NanoAodFiles, headers: Mapping[str, Header]) -> Selection:
    """Choose the branches that all files are read and selected by.

    A sample that was selected by other branches than the rest would be told apart by that; so a
    branch counts as there only if every file has it.

    Args:
        files: the settings.
        headers: file with events to its header.

    Raises:
        DataError: a file lacks a branch that is needed, or that others have; or no file has events.
    """
    if not headers:
        raise DataError("data.files: no file holds events; give others")
    collections = [name for name in COLLECTIONS if not _is_absent(files, headers, name)]
    mets = METS if files.met == "auto" else (files.met,)
    another = "choose another data.files.met"
    met = next((met for met in mets if _in_all(headers, met_branches(met), another)), None)
    if met is None:
        name, header = next(iter(headers.items()))
        missing = [
            next(branch for branch in met_branches(met) if branch not in header.branches)
            for met in mets
        ]
        raise DataError(f"{name}: no branch {' or '.join(missing)}; {another}")
    identification = [
        branch
        for branch, key in IDENTIFICATION.items()
        if branch.split("_")[0] in collections
        and getattr(files, key) not in OFF
        and _in_all(headers, [branch], f"set {_off(files, key)}")
    ]
    return Selection(
        files=files,
        collections=tuple(collections),
        met=met,
        identification=tuple(identification),
    )


def _is_absent(files: NanoAodFiles, headers: Mapping[str, Header], collection: str) -> bool:
    """Return whether a file lacks a collection that it may lack.

    Raises:
        DataError: it may not, or a part of the collection is there.
    """
    branches = [f"{collection}_{name}" for name in KINEMATICS]
    is_absent = False
    for name, header in headers.items():
        missing = [branch for branch in branches if branch not in header.branches]
        may_lack = collection in files.absent_collections
        if missing and not (may_lack and len(missing) == len(branches)):
            way_out = "give CMS NanoAOD files"
            if len(missing) == len(branches):
                way_out += f", or set data.files.absent_collections=[{collection}]"
            raise DataError(f"{name}: no branch {missing[0]} in the tree {files.tree}; {way_out}")
        is_absent |= bool(missing)
    return is_absent


def met_branches(met: str) -> list[str]:
    """Return the branches of a missing transverse energy."""
    return [f"{met}_pt", f"{met}_phi"]


def _off(files: NanoAodFiles, key: str) -> str:
    return f"data.files.{key}={'false' if getattr(files, key) is True else 'null'}"


def _in_all(headers: Mapping[str, Header], branches: list[str], way_out: str) -> bool:
    """Return whether all files have these branches; False if none has.

    Raises:
        DataError: some have them.
    """
    lacking = {
        name: [branch for branch in branches if branch not in header.branches]
        for name, header in headers.items()
    }
    having = [name for name, missing in lacking.items() if not missing]
    if not having or len(having) == len(headers):
        return bool(having)
    name, missing = next((name, missing) for name, missing in lacking.items() if missing)
    raise DataError(
        f"{name}: no branch {missing[0]}, which {having[0]} has; samples must be selected alike: "
        f"{way_out}"
    )


@contextmanager
def open_tree(name: str, tree: str) -> Iterator[Any]:
    """Open a file and find its tree."""
    import uproot  # type: ignore[import-untyped]

    with readable(name):
        # a dictionary keeps uproot from looking for the name of a tree behind a colon; without
        # its cache of arrays, memory does not grow with the file
        file = uproot.open({name: None}, array_cache=None)
    with file:
        with readable(name):
            names = file.keys(recursive=False, cycle=False)
            events = file[tree] if tree in names else None
        if events is None:
            there = ", ".join(names) or "nothing"
            raise DataError(f"{name}: no tree {tree} (found: {there}); set data.files.tree")
        # TTrees are what NanoAOD is made of, RNTuples what it will be
        if not isinstance(events, (uproot.TTree, uproot.behaviors.RNTuple.RNTuple)):
            raise DataError(f"{name}: {tree} is no tree of events; set data.files.tree")
        yield events
