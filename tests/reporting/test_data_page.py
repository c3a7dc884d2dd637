from pathlib import Path

import numpy as np
import pytest

from l1distill.data.card import Ablation, Card, FileCard, SampleCard, SourceCard
from l1distill.reporting.data_page import EXPECTATIONS, render
from l1distill.tasks.anomaly.dataset import Dataset
from l1distill.tasks.anomaly.events import SIGNALS

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
            auc=dict.fromkeys(SIGNALS, 0.8765),
            auc_error=dict.fromkeys(SIGNALS, 0.0123),
            jets_per_event=0.66,
            met_mean_gev=33.3,
        )
    ],
)


@pytest.fixture
def picture(tmp_path: Path) -> tuple[str, Path]:
    path = tmp_path / "a.png"
    path.write_bytes(b"picture")
    return ("Azimuth: flat", path)


def test_the_page_shows_the_whole_card(tmp_path: Path, picture: tuple[str, Path]) -> None:
    page = render(Dataset(tmp_path, CARD, "0123456789abcdef"), [picture])
    for expected in (
        "0123456789abcdef", "<td class=\"n\">100</td>", "abababab", "90.87", "No &lt;gluon&gt;",
        EXPECTATIONS["z_peak_gev"], "0.1250", "0.876 ± 0.012", "no pileup", "&#34;mpi&#34;",
        "pythia8mc 8.317.2", "Azimuth: flat", "data:image/png;base64,cGljdHVyZQ==", "published",
    ):  # fmt: skip
        assert expected in page
    assert "Sources" not in page


def test_imported_files_are_listed_instead(tmp_path: Path, picture: tuple[str, Path]) -> None:
    sources = [
        SourceCard(sample="background", file="a.root", sha256="cd" * 32, events=77),
        SourceCard(sample="zprime", file="b.root", sha256=None, events=5),
    ]
    card = CARD.model_copy(update={"samples": {}, "ablations": [], "sources": sources})
    page = render(Dataset(tmp_path, card, "0" * 32), [picture])
    assert "a.root" in page
    assert "cdcdcdcd" in page
    assert "not on this machine" in page
    assert "What modeling choices" not in page


def test_every_expectation_is_about_a_figure_that_is_made() -> None:
    from l1distill.tasks.anomaly.events import Events
    from l1distill.tasks.anomaly.generator.checks import check

    rng = np.random.default_rng(0)
    objects = rng.exponential(30.0, (4000, 19, 3))
    objects[..., 1:] = rng.uniform(-2, 2, (4000, 19, 2))
    objects[rng.random((4000, 19)) < 0.5] = 0.0
    figures = check(Events(objects, rng.integers(0, 4, 4000).astype(np.int8)))
    assert set(EXPECTATIONS) <= set(figures)
