"""Rankings of combinations, on made-up scores."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from l1distill.evaluation.combinations import Trained, rank_combinations, rank_correlation
from l1distill.evaluation.roc import separation
from l1distill.evaluation.signal_differences import signal_differences

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
    jobs[1] = replace(jobs[1], refused=True)
    ranking = rank_combinations(jobs, BACKGROUND)
    assert ranking.use == "same cost", "gates refused one of the three"
    assert ranking.words[-1].startswith("Gates refused a seed of simple: it is not among")
    jobs = [replace(job, refused=True) for job in jobs]
    assert rank_combinations(jobs, BACKGROUND).use == "simple"


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


def _collapsed(name: str, seed: int, value: float | None = 0.5) -> Trained:
    """Return a job whose score is a constant, or noise where there is no value."""
    rng = np.random.default_rng(seed)
    scores = {
        k: rng.normal(size=len(v)) if value is None else np.full(len(v), value)
        for k, v in _truth().items()
    }
    return Trained(combination=name, seed=str(seed), scores=scores, lut=1)


@pytest.mark.parametrize("value", [0.5, None])
def test_a_seed_that_collapsed_is_counted_and_not_averaged(value: float | None) -> None:
    """One constant seed of three widened the error until 0.139 behind was "not told apart"."""
    jobs = [_job("good", seed, 0.5) for seed in range(3)]
    jobs += [_job("weak", seed, 0.9) for seed in (0, 2)] + [_collapsed("weak", 1, value)]
    best, row = rank_combinations(jobs, BACKGROUND).rows
    assert (row.combination, row.failed, row.seeds) == ("weak", ("1",), ("0", "2"))
    assert not row.is_best
    assert not best.failed
    two = rank_combinations([job for job in jobs if job.seed != "1"], BACKGROUND).rows[1]
    assert (row.auc, row.behind, row.behind_error) == (two.auc, two.behind, two.behind_error)
    words = rank_combinations(jobs, BACKGROUND).words
    assert any("weak: seed 1 of 3 has a score that is no better than chance" in w for w in words)


def test_a_combination_with_a_failed_seed_is_not_the_one_to_use_whatever_the_others_say() -> None:
    jobs = [_job("first", seed, 0.1) for seed in (0, 2)] + [_collapsed("first", 1)]
    jobs += [_job("second", seed, 0.9) for seed in range(3)]
    ranking = rank_combinations(jobs, BACKGROUND)
    assert [row.combination for row in ranking.rows] == ["second", "first"]
    assert ranking.use == "second"
    assert ranking.rows[1].behind < 0
    assert "ahead of the best" in " ".join(ranking.words)
    assert ranking.words[0].startswith("Use second: it is the only combination of which no seed")


def test_of_combinations_that_all_failed_somewhere_one_is_used_and_of_none_nothing() -> None:
    jobs = [_job("a", 0, 0.1), _collapsed("a", 1), _job("b", 0, 0.9), _collapsed("b", 1)]
    jobs += [_collapsed("c", 0), _collapsed("c", 1)]
    ranking = rank_combinations(jobs, BACKGROUND)
    assert ranking.use == "a"
    assert [row.combination for row in ranking.rows] == ["a", "b", "c"]
    assert "of every combination some seed failed" in ranking.words[0]
    assert "c: no seed has a score that is better than chance." in ranking.words
    none = rank_combinations([_collapsed("c", 0), _collapsed("d", 0)], BACKGROUND)
    assert none.use == ""
    assert len(none.words) == 1


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


def test_differences_to_the_first_are_paired_signal_by_signal() -> None:
    jobs = [_job("first", seed, 0.1) for seed in range(3)]
    jobs += [_job("other", seed, 0.6) for seed in range(1, 4)] + [_job("alone", 7, 0.6)]
    failed = {("other", "2")}
    found = signal_differences(jobs, BACKGROUND, failed)
    assert list(found) == ["other"], "one shares no seed with the first"
    first, other = jobs[1], jobs[3]  # both of seed 1
    for signal in ("lq", "a_4l"):
        one, two = (separation(j.scores[BACKGROUND], j.scores[signal]).auc for j in (other, first))
        assert found["other"][signal].auc == pytest.approx(one - two)
        assert found["other"][signal].seeds == 1
    rng, drawn = np.random.default_rng(3), []
    for _ in range(60):  # the same events of both
        at = {k: rng.integers(len(v), size=len(v)) for k, v in first.scores.items()}
        one, two = (
            separation(j.scores[BACKGROUND][at[BACKGROUND]], j.scores["lq"][at["lq"]]).auc
            for j in (other, first)
        )
        drawn.append(one - two)
    assert found["other"]["lq"].error == pytest.approx(np.std(drawn), rel=0.3)
    three = signal_differences(
        [replace(j, combination="x") for j in jobs[:3]]
        + [
            replace(_job("y", seed, noise), combination="y")
            for seed, noise in enumerate((0.2, 0.6, 1.2))
        ],
        BACKGROUND,
    )["y"]["lq"]
    assert three.seeds == 3
    assert three.error > 2 * found["other"]["lq"].error, "seeds that differ widen it"
