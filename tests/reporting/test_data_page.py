from pathlib import Path

import pytest

from l1distill.data.card import Ablation, Card, FileCard, SampleCard, SourceCard
from l1distill.data.dataset import Dataset, Items
from l1distill.reporting.data_page import DataNotes, render
from l1distill.reporting.pictures import Picture

NOTES = DataNotes(
    expectations={"z_peak_gev": "91.19, the mass of the Z (PDG)"},
    published_auc={"a_4l": 0.96, "h0_tautau": 0.88},
    published_in="a paper",
)
CARD = Card(
    dataset="anomaly",
    settings={"mpi": "overlay"},
    versions={"pythia8mc": "8.317.2"},
    files={"background": FileCard(train=51, test=40, validation=9, sha256="ab" * 32)},
    samples={"w": SampleCard(events=10, tried=80, acceptance=0.125, settings=[], truth_mass=None)},
    checks={"z_peak_gev": 90.87},
    missing=["No <gluon> splitting."],
    ablations=[
        Ablation(
            change="no pileup",
            train=5000,
            auc={"a_4l": 0.8765},
            auc_error={"a_4l": 0.0123},
            jets_per_event=0.66,
            met_mean_gev=33.3,
        )
    ],
)


def _read(path: Path) -> Items:
    raise AssertionError("the page is made from the card alone")


def _dataset(folder: Path, card: Card, md5: str = "0" * 32) -> Dataset:
    return Dataset(folder=folder, card=card, md5=md5, training_sample="background", read=_read)


@pytest.fixture
def picture(tmp_path: Path) -> Picture:
    path = tmp_path / "a.png"
    path.write_bytes(b"picture")
    return Picture(caption="Azimuth: flat", path=path)


def test_the_page_shows_the_whole_card(tmp_path: Path, picture: Picture) -> None:
    page = render(_dataset(tmp_path, CARD, "0123456789abcdef"), [picture], NOTES)
    for expected in (
        "0123456789abcdef", '<td class="n">100</td>', "abababab", "90.87", "No &lt;gluon&gt;",
        NOTES.expectations["z_peak_gev"], "0.1250", "0.876 ± 0.012", "no pileup", "&#34;mpi&#34;",
        "pythia8mc 8.317.2", "Azimuth: flat", "data:image/png;base64,cGljdHVyZQ==",
        '<td>published</td><td></td><td class="n">0.96</td>', "Published: a paper.",
    ):  # fmt: skip
        assert expected in page
    assert "Sources" not in page
    assert "0.88" not in page, "nothing is published of a sample that was not measured"


def test_what_nobody_published_is_left_out(tmp_path: Path, picture: Picture) -> None:
    """Of a signal of the user's own, or of a task without a paper."""
    ablation = CARD.ablations[0].model_copy(
        update={"auc": {"zprime": 0.7}, "auc_error": {"zprime": 0.1}}
    )
    for card, notes in (
        (CARD.model_copy(update={"ablations": [ablation]}), NOTES),
        (CARD, DataNotes()),
    ):
        page = render(_dataset(tmp_path, card), [picture], notes)
        assert "no pileup" in page
        assert "<td>published</td>" not in page


def test_imported_files_are_listed_instead(tmp_path: Path, picture: Picture) -> None:
    sources = [
        SourceCard(sample="background", file="a.root", sha256="cd" * 32, events=77),
        SourceCard(sample="zprime", file="b.root", sha256=None, events=5),
    ]
    card = CARD.model_copy(update={"samples": {}, "ablations": [], "sources": sources})
    page = render(_dataset(tmp_path, card), [picture], NOTES)
    assert "a.root" in page
    assert "cdcdcdcd" in page
    assert "not on this machine" in page
    assert "What modeling choices" not in page
