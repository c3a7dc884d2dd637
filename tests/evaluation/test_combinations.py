"""Rankings of combinations, on made-up scores."""

import numpy as np
import pytest
from numpy.typing import NDArray

from l1distill.evaluation.combinations import Trained, rank_combinations, rank_correlation
from l1distill.evaluation.roc import separation

BACKGROUND = "background"


def _truth(seed: int = 0) -> dict[str, NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    sizes = {BACKGROUND: (4000, 0.0), "lq": (800, 1.5), "a_4l": (1200, 1.0)}
    return {name: rng.normal(shift, 1.0, size) for name, (size, shift) in sizes.items()}


def _job(name: str, seed: int, noise: float, lut: float = 1000, blind: float = 0.9) -> Trained:
    rng = np.random.default_rng([seed, round(noise * 1000), len(name)])
    scores = {k: v + noise * rng.normal(size=len(v)) for k, v in _truth().items()}
    return Trained(combination=name, seed=str(seed), scores=scores, lut=lut, blind=blind)


def test_the_error_of_the_mean_auc_is_that_of_a_bootstrap() -> None:
    (row,) = rank_combinations([_job("a", 0, 0.5)], BACKGROUND).rows
    scores, rng, means = _job("a", 0, 0.5).scores, np.random.default_rng(1), []
    for _ in range(60):
        drawn = {name: rng.choice(values, len(values)) for name, values in scores.items()}
        means.append(np.mean([separation(drawn[BACKGROUND], drawn[s]).auc for s in ("lq", "a_4l")]))
    assert row.event_error == pytest.approx(np.std(means), rel=0.3)
    assert row.auc == pytest.approx(np.mean(means), abs=3 * row.event_error)
    assert np.isnan(row.seed_spread)


def test_a_clear_winner_is_named_with_its_lead() -> None:
    jobs = [_job("good", seed, 0.1) for seed in range(3)]
    jobs += [_job("bad", seed, 2.0, lut=10, blind=0.95) for seed in range(3)]
    ranking = rank_combinations(jobs, BACKGROUND)
    assert [row.combination for row in ranking.rows] == ["good", "bad"]
    assert ranking.use == "good"
    assert ranking.blind == "bad"
    assert "Use good" in ranking.words[0]
    assert "would be bad, which is not among the best" in ranking.words[-1]
    bad = ranking.rows[1]
    aucs = [
        np.mean([separation(j.scores[BACKGROUND], j.scores[s]).auc for s in ("lq", "a_4l")])
        for j in jobs
    ]
    assert bad.behind == pytest.approx(np.mean(aucs[:3]) - np.mean(aucs[3:]))
    assert bad.seed_spread == pytest.approx(np.std(aucs[3:], ddof=1))
    assert bad.behind > 5 * bad.behind_error


def test_of_those_that_cannot_be_told_apart_the_cheapest_is_used() -> None:
    jobs = [_job("simple", seed, 0.5, lut=500) for seed in range(3)]
    jobs += [_job("same cost", seed, 0.5, lut=490) for seed in range(3)]
    jobs += [_job("dear ones", seed, 0.499, lut=5000) for seed in range(3)]
    ranking = rank_combinations(jobs, BACKGROUND)
    assert all(row.is_best for row in ranking.rows)
    assert ranking.use == "simple", "490 and 500 LUTs are the same cost, and it is listed first"
    assert "cannot be told apart" in ranking.words[0]


def test_pairing_on_the_same_events_tells_apart_what_the_errors_alone_would_not() -> None:
    jobs = [_job("a", 0, 0.0), _job("b", 0, 0.3)]
    first, second = rank_combinations(jobs, BACKGROUND).rows
    assert second.behind_error < 0.5 * np.hypot(first.event_error, second.event_error)


def test_seeds_that_differ_widen_the_error() -> None:
    jobs = [_job("a", seed, 0.2) for seed in range(3)]
    jobs += [_job("b", seed, noise) for seed, noise in enumerate((0.2, 0.6, 1.2))]
    ranking = rank_combinations(jobs, BACKGROUND)
    second = ranking.rows[1]
    differences = second.seed_spread / np.sqrt(3)
    assert second.behind_error > differences  # Student's t for three
    one = rank_combinations([j for j in jobs if j.seed == "1"], BACKGROUND)
    assert any("one seed" in word for word in one.words)


def test_other_test_events_are_refused() -> None:
    other = _job("b", 0, 0.5)
    shorter = {name: values[:-1] for name, values in other.scores.items()}
    jobs = [_job("a", 0, 0.5), Trained(combination="b", seed="0", scores=shorter, lut=1)]
    with pytest.raises(ValueError, match="scored on other events"):
        rank_combinations(jobs, BACKGROUND)


def test_rank_correlation_is_spearmans() -> None:
    a = np.array([1.0, 2, 3, 4, 5])
    assert rank_correlation(a, np.array([5.0, 6, 7, 8, 7])) == pytest.approx(0.8207826817)
    assert np.isnan(rank_correlation(a, np.ones(5)))
