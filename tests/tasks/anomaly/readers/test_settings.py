"""What may be said about files, and that conf/ says all of it."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from l1distill.simulation.settings import DetectorSettings
from l1distill.stages.configuration import flatten
from l1distill.tasks.anomaly.generator.settings import LeptonFilterSettings
from l1distill.tasks.anomaly.readers.settings import EventFiles, NanoAodFiles, PublicFiles
from tests.settings import conf

READERS = ["public", "nanoaod", "own"]
FILES: TypeAdapter[Any] = TypeAdapter(EventFiles)


@pytest.mark.parametrize("reader", READERS)
def test_conf_has_every_field_with_its_default(reader: str) -> None:
    written = conf(f"data/{reader}")["data"]
    assert written["name"] == written["files"]["reader"] == reader
    files = FILES.validate_python(written["files"])
    assert flatten(files.model_dump()) == flatten(written["files"])
    defaults = FILES.validate_python({"reader": reader}).model_dump(exclude={"signals"})
    assert files.model_dump(exclude={"signals"}) == defaults


def test_the_published_signals_stand_ready() -> None:
    assert conf("data/public")["data"]["files"]["signals"] == dict.fromkeys(
        ("lq_btau", "a_4l", "h0_tautau", "hch_taunu")
    )


def test_one_path_is_a_list_of_one() -> None:
    files = PublicFiles(reader="public", background="a.h5", signals={"x": "b.h5", "y": None})  # type: ignore[arg-type, dict-item]
    assert files.background == ["a.h5"]
    assert files.signals == {"x": ["b.h5"], "y": None}


def test_cuts_are_those_of_the_simulated_detector() -> None:
    files, detector = NanoAodFiles(reader="nanoaod"), DetectorSettings()
    for name in ("electron_eta_max", "muon_eta_max", "lepton_pt_min", "jet_pt_min", "jet_eta_max"):
        assert getattr(files, name) == getattr(detector, name)
    assert files.filter == LeptonFilterSettings()


@pytest.mark.parametrize(
    "wrong",
    [
        {"reader": "csv"},
        {"reader": "public", "background": []},
        {"reader": "public", "background": 5},
        {"reader": "public", "signals": {"background": "a.h5"}},
        {"reader": "public", "signals": {"../x": "a.h5"}},
        {"reader": "public", "pt_unit": "TeV"},
        {"reader": "public", "limit": 0},
        {"reader": "public", "tree": "Events"},
        {"reader": "nanoaod", "met": "RawMET"},
        {"reader": "nanoaod", "jet_pt_min": -1.0},
        {"reader": "own", "background": "a.h5"},
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        FILES.validate_python(wrong)
