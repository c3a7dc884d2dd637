from pathlib import Path

import numpy as np
import pytest
from l1distill.reporting.plots.training import (
    draw_history,
    draw_rocs,
    draw_scores,
    read_roc,
    write_roc,
)

from l1distill.evaluation.roc import Roc, separations
from l1distill.tasks.anomaly.plots.checks import draw_checks
from l1distill.tasks.anomaly.plots.events import VARIABLES, draw_events
from l1distill.training.fit import History

SIGNALS = ("lq_btau", "a_4l", "h0_tautau", "hch_taunu")
PNG = b"\x89PNG\r\n"


def _events(n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    objects = rng.exponential(30.0, (n, 19, 3))
    objects[rng.random((n, 19)) < 0.5] = 0.0
    return objects


def _draw_all(folder: Path) -> None:
    rng = np.random.default_rng(0)
    background = rng.lognormal(size=400)
    signals = {name: rng.lognormal(1.0, 1.0, 100) for name in SIGNALS}
    results = separations(background, signals)
    draw_rocs(results, folder / "roc.png", {name: result.roc for name, result in results.items()})
    draw_scores(background, signals, folder / "scores.png", "score", log=True)
    draw_history(History([1.0, 0.5], [1.1, 0.6]), folder / "history.png")
    draw_events({name: _events(50, 1) for name in ("background", *SIGNALS, "zprime")}, folder)
    # more events of Z than of others, and none of ttbar
    draw_checks(_events(200, 2), np.arange(200).astype(np.int8) % 5 % 3, folder)


def test_equal_figures_are_equal_files(tmp_path: Path) -> None:
    """A picture is an output like another: its hash must not change by itself."""
    for name in ("a", "b"):
        _draw_all(tmp_path / name)
    first = {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()}
    second = {path.name: path.read_bytes() for path in (tmp_path / "b").iterdir()}
    assert first == second
    assert set(first) == {
        *("roc.png", "scores.png", "history.png"),
        *(f"{name}.png" for name in VARIABLES),
        *("z_peak.png", "w_edge.png", "met_activity.png", "jets_by_process.png"),
    }
    assert all(content.startswith(PNG) and len(content) > 5_000 for content in first.values())


def test_a_thinned_roc_keeps_its_area(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    result = separations(rng.normal(size=5_000), {"a_4l": rng.normal(1.0, 1.0, 2_000)})["a_4l"]
    write_roc(result.roc, tmp_path / "roc.csv")
    thinned = read_roc(tmp_path / "roc.csv")
    assert len(thinned.fpr) == 200
    assert np.trapz(thinned.tpr, thinned.fpr) == pytest.approx(result.auc, abs=0.01)
    assert (np.diff(thinned.tpr) >= 0).all()


def test_a_perfect_roc_can_be_written(tmp_path: Path) -> None:
    write_roc(Roc(np.array([0.0, 0.0, 1.0]), np.array([0.0, 1.0, 1.0])), tmp_path / "roc.csv")
    assert (read_roc(tmp_path / "roc.csv").tpr == 1.0).all()
