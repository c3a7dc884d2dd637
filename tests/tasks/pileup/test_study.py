"""The study of pileup: maps by hand, seeds, times."""

import math

import numpy as np
import pytest

from l1distill.artifacts.runs import LoggedRun
from l1distill.models.families import build_network
from l1distill.models.mlp import StudentSettings
from l1distill.tasks.pileup.inference import dense_operations, time_per_event
from l1distill.tasks.pileup.maps import ETA_EDGES, PHI_EDGES, pt_ratio_maps
from l1distill.tasks.pileup.study_runs import FIXED, FLOAT, Model, gather, ratio_of_seeds
from l1distill.tasks.pileup.study_tables import resolutions, verdicts
from tests.settings import conf
from tests.tasks.pileup.made_up import HARD, PILEUP, made_up_events


def _run(run_id: str, seed: int, **metrics: float) -> LoggedRun:
    named = {name.replace("__", "/"): value for name, value in metrics.items()}
    return LoggedRun(run_id=run_id, parameters={"seed": str(seed)}, metrics=named, tags={})


class _Runs:
    """Three experiments; the newest run stands first."""

    def find(
        self, stage: str, experiment: str, dataset_md5: str | None, status: str = "FINISHED"
    ) -> list[LoggedRun]:
        found = {
            "t": [
                _run("new", 1, ratio_to_puppi__ptmiss__teacher=0.8),
                _run("old", 1, ratio_to_puppi__ptmiss__teacher=9.0),
                _run("other", 0, ratio_to_puppi__ptmiss__teacher=1.2),
            ],
            "f": [
                _run("f1", 1, resolution__ptmiss__student=0.2),
                _run("f0", 0, resolution__ptmiss__student=0.1),
            ],
            "x": [
                _run("x0", 0, resolution__ptmiss__student=0.12),
                _run("x2", 2, resolution__ptmiss__student=0.9),
            ],
        }
        return found[experiment]


def test_seeds_are_gathered_once_and_compared_by_seed() -> None:
    models = gather(_Runs(), {"graphs": "t", "floats": "f", "fixed": "x"}, "md5")  # type: ignore[arg-type]
    assert [[run.run_id for run in model.runs] for model in models] == [
        ["other", "new"],
        ["f0", "f1"],
        ["x0", "x2"],
    ]
    teacher, floating, fixed = models
    metric = "ratio_to_puppi/ptmiss/teacher"
    assert teacher.mean(metric) == pytest.approx(1.0)
    assert teacher.spread(metric) == pytest.approx(0.4 / math.sqrt(2))
    name = "resolution/ptmiss/student"
    value, spread = ratio_of_seeds(fixed, floating, name, name)
    assert value == pytest.approx(1.2)  # of seed 0, which both have
    assert math.isnan(spread)
    assert math.isnan(fixed.mean("of/nobody"))
    words = " ".join(verdicts(models))
    assert "Missing pT, teacher over PUPPI: 1.000 ± 0.283 over seeds" in words
    assert f"Missing pT, {FIXED} over the one in floating point: 1.200, to be" in words
    assert words.count("NOT reached") == 2
    assert "jet" not in words.lower()  # of which nothing was logged
    table = resolutions(models, "ptmiss")
    assert [row[0] for row in table.rows][-3:] == [
        f"{title} (2 seeds)" for title in ("teacher", FLOAT, FIXED)
    ]
    assert table.rows[-3][4:6] == ["1.000 ± -", "0.283"]


def test_maps_are_sums_of_cells_of_all_batches() -> None:
    batches = [made_up_events(3, seed) for seed in (1, 2)]
    maps = pt_ratio_maps(
        batches,
        {
            "half": lambda events: 0.5 * events.particles.hard_fraction,
            "all": lambda events: np.ones(len(events.particles.event)),
        },
    )
    pt = alone = 0.0
    i, j = np.searchsorted(ETA_EDGES, 0.6) - 1, np.searchsorted(PHI_EDGES, 1.1) - 1
    for events in batches:
        for objects in (events.particles, events.without_pileup):
            for one, eta, phi in zip(objects.pt, objects.eta, objects.phi, strict=True):
                inside = ETA_EDGES[i] <= eta < ETA_EDGES[i + 1]
                if inside and PHI_EDGES[j] <= phi < PHI_EDGES[j + 1]:
                    pt += one * (objects is events.particles)
                    alone += one * (objects is events.without_pileup)
    assert alone > 0
    assert maps["all"][i, j] == pytest.approx(pt / alone)
    np.testing.assert_allclose(maps["half"][np.isfinite(maps["half"])], 0.5)
    assert np.isnan(maps["half"]).any()


def test_time_is_of_batches_of_each_size() -> None:
    events, asked = made_up_events(5, 0), []

    def weights(batch: object) -> np.ndarray:
        asked.append(len(batch))  # type: ignore[arg-type]
        return np.ones((HARD + PILEUP) * asked[-1])

    found = time_per_event(events, {"a": weights}, (1, 4))
    assert set(asked) == {1, 4}
    assert len(found["a"]) == 2
    assert Model(title="", name="", runs=[]).values("x") == {}


def test_the_student_in_floating_point_has_the_published_size() -> None:
    """The published one has 10,625 parameters and 20.9 kFLOP a particle (table 2)."""
    student = conf("experiment/reduce_pileup_float")["student"]
    settings = StudentSettings(**student)
    network = build_network(settings, (16,), 1, ())
    trained = sum(int(np.prod(one.shape)) for one in network.trainable_variables)
    normalization = 2 * 64  # scale and shift of the last hidden layer, which ours has not
    assert trained + normalization == 10_625
    layers = [16, *student["layers"], 1]
    assert dense_operations(layers) == pytest.approx(20_900, rel=0.02)
