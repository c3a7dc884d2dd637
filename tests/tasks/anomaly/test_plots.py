from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from l1distill.evaluation.roc import Separation, separations, to_curve
from l1distill.reporting.plots.style import PALETTE
from l1distill.tasks.anomaly.events import SIGNALS
from l1distill.tasks.anomaly.plots.checks import draw_checks
from l1distill.tasks.anomaly.plots.events import VARIABLES, draw_events
from l1distill.tasks.anomaly.plots.style import color, label, plain_name
from l1distill.tasks.anomaly.plots.training import draw_rocs, draw_scores, draw_scores_compared

NAMES = (*SIGNALS, "zprime")
"""The last is a signal of the user's own."""
COMPARED = ("a_4l", "zprime")
PNG = b"\x89PNG\r\n"


def _events(n: int, seed: int) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    objects = rng.exponential(30.0, (n, 19, 3))
    objects[rng.random((n, 19)) < 0.5] = 0.0
    return objects


def _separations(seed: int) -> dict[str, Separation]:
    rng = np.random.default_rng(seed)
    return separations(rng.lognormal(size=400), {n: rng.lognormal(1.0, 1.0, 100) for n in NAMES})


def _draw_all(folder: Path) -> None:
    rng = np.random.default_rng(0)
    background = rng.lognormal(size=400)
    signals = {name: rng.lognormal(1.0, 1.0, 100) for name in NAMES}
    results = separations(background, signals)
    teachers = _separations(1)
    teacher = {name: to_curve(result.roc) for name, result in teachers.items()}
    draw_rocs(results, folder / "roc.png", teacher)
    draw_rocs(results, folder / "roc_alone.png")
    draw_scores(background, signals, folder / "scores.png", "score", log=True)
    by_score = {"mse": results, "kl": teachers}
    draw_scores_compared(
        {score: {name: by_name[name] for name in COMPARED} for score, by_name in by_score.items()},
        folder,
    )
    draw_events({name: _events(50, 1) for name in ("background", *NAMES)}, folder)
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
        *("roc.png", "roc_alone.png", "scores.png"),
        *(f"roc_{name}.png" for name in COMPARED),
        *(f"{name}.png" for name in VARIABLES),
        *("z_peak.png", "w_edge.png", "met_activity.png", "jets_by_process.png"),
    }
    assert all(content.startswith(PNG) and len(content) > 5_000 for content in first.values())
    assert first["roc.png"] != first["roc_alone.png"]


@pytest.mark.parametrize("name", SIGNALS)
def test_published_signals_have_their_own_colors_and_names(name: str) -> None:
    assert "→" in plain_name(name)
    assert r"\to" in label(name)
    others = [color(other) for other in SIGNALS if other != name]
    assert color(name) not in others


def test_signals_of_the_user_take_none_of_the_published_colors() -> None:
    assert label("z_prime") == "z prime"
    assert plain_name("z_prime") == "z_prime"
    theirs = {color(f"signal {number}") for number in range(50)}
    assert theirs == set(PALETTE) - {color(name) for name in SIGNALS}
