"""What NanoAOD files hold, by a loop over events and objects in plain Python."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from l1distill.core.errors import DataError
from l1distill.tasks.anomaly.readers.nanoaod import plan
from l1distill.tasks.anomaly.readers.settings import NanoAodFiles
from tests.tasks.anomaly.readers.files import Event, Object


def files_of(background: Path | str | Sequence[str], **more: Any) -> NanoAodFiles:
    paths = str(background) if isinstance(background, Path) else background
    return NanoAodFiles.model_validate({"reader": "nanoaod", "background": paths, **more})


def read_all(files: NanoAodFiles) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Objects and numbers of the background's events, and how many each chunk looked at."""
    sample = plan(files)[0]
    chunks = [chunk for file in sample.files for chunk in sample.chunks(file)]
    return (
        np.concatenate([chunk.objects for chunk in chunks]),
        np.concatenate([chunk.number for chunk in chunks]),
        [chunk.read for chunk in chunks],
    )


def rows_of(event: Event, met: str = "PuppiMET", identified: bool = True) -> list[list[float]]:
    """What the default selection makes of an event, from its definition."""

    def accepted(one: Object, pt_min: float, eta_max: float) -> bool:
        return one["pt"] > pt_min and abs(one["eta"]) < eta_max

    electrons = [one for one in event["Electron"] if accepted(one, 3.0, 2.5)]
    muons = [one for one in event["Muon"] if accepted(one, 3.0, 2.4)]
    if identified:
        electrons = [one for one in electrons if one["cutBased"] >= 2]
        muons = [one for one in muons if one["looseId"] and one["pfRelIso04_all"] < 0.25]
    jets = []
    for jet in event["Jet"]:
        near = False
        for lepton in electrons + muons:
            turn = abs(float(jet["phi"]) - float(lepton["phi"]))
            turn = min(turn, 2 * math.pi - turn)
            near |= math.hypot(float(jet["eta"]) - float(lepton["eta"]), turn) < 0.4
        if accepted(jet, 20.0, 4.0) and not near:
            jets.append(jet)
    rows = [[event[met][0]["pt"], 0.0, event[met][0]["phi"]]]
    for group, size in ((electrons, 4), (muons, 4), (jets, 10)):
        hardest = sorted(group, key=lambda one: -one["pt"])[:size]
        rows += [[one["pt"], one["eta"], one["phi"]] for one in hardest]
        rows += [[0.0, 0.0, 0.0]] * (size - len(hardest))
    return rows


def passes(rows: list[list[float]]) -> bool:
    electrons, muons = rows[1:5], rows[5:9]
    return any(pt > 23 and abs(eta) < 3 for pt, eta, _ in electrons) or any(
        pt > 23 and abs(eta) < 2.1 for pt, eta, _ in muons
    )


def refused(files: NanoAodFiles) -> str:
    with pytest.raises(DataError) as refusal:
        read_all(files)
    assert "\n" not in str(refusal.value)
    return str(refusal.value)
