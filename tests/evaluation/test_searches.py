"""Searches that are read from their tables and compared."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from l1distill.evaluation.curves import write_csv
from l1distill.evaluation.searches import Search, best_losses, read_search, share_of_good
from l1distill.reporting.search_page import statement, tables

COLUMNS = ("candidate", "phase", "state", "loss", "lut_estimate", "mse_to_teacher/a", "auc/a")


def search(strategy: str, seed: int, loss: list[float]) -> Search:
    values = np.array(loss)
    return Search(
        strategy=strategy,
        seed=seed,
        candidates=2 * len(loss),
        cpu_s=10.0,
        loss=values,
        luts=100.0 / values,
        reached_at=np.full(len(values), 10.0),
        distances={"a": 2 * values},
        aucs={"a": 1.0 - 0.1 * values},
        progress=(np.array([1.0, 4.0, 10.0]), np.array([np.inf, 2 * values.min(), values.min()])),
    )


def test_what_may_become_a_student_is_read(tmp_path: Path) -> None:
    rows = [
        (0, "architecture", "finished", 0.1, "", 0.1, 0.9),
        (1, "quantization", "finished", 0.4, 50, 0.5, 0.8),
        (2, "quantization", "stopped", 0.2, 70, "", ""),
        (3, "quantization", "finished", 0.3, 60, 0.7, 0.7),
        (4, "quantization", "waiting", "", "", "", ""),
    ]
    write_csv(tmp_path / "candidates.csv", COLUMNS, rows)
    progress = [(1.5, ""), (3.0, 0.4), (5.0, 0.3)]
    write_csv(tmp_path / "progress.csv", ("cpu_s", "best_validation_loss"), progress)
    found = read_search(tmp_path, "post", 7)
    assert (found.candidates, found.cpu_s, found.loss.tolist()) == (4, 5.0, [0.4, 0.3])
    assert found.distances["a"][found.best] == 0.7
    reached = [found.reached(seconds) for seconds in (1.0, 2.0, 3.0, 4.9, 5.0)]
    assert reached == [np.inf, np.inf, 0.4, 0.4, 0.3]
    write_csv(tmp_path / "candidates.csv", COLUMNS, rows[:1])
    with pytest.raises(ValueError, match="no candidate was trained in full"):
        read_search(tmp_path, "post", 7)


def test_snapshots_of_one_training_are_read(tmp_path: Path) -> None:
    rows = [(1, 2.0, 0.5, 900), (2, 4.0, 0.4, 700), (3, 6.0, 0.6, 300)]
    columns = ("candidate", "cpu_s", "loss", "lut_estimate")
    write_csv(tmp_path / "candidates.csv", columns, rows)
    found = read_search(tmp_path, "hgq", 1)
    assert (found.candidates, found.cpu_s, found.best) == (3, 6.0, 1)
    assert [found.reached(seconds) for seconds in (1.0, 2.0, 6.0)] == [np.inf, 0.5, 0.4]


def test_a_difference_that_is_there_is_found_and_another_is_not() -> None:
    rng = np.random.default_rng(1)
    repeats = [
        search(name, seed, [*rng.lognormal(center, 0.3, 40), 0.2 + 0.01 * seed])
        for seed in range(5)
        for name, center in (("co", 0.0), ("post", 0.4))
    ]
    often, best = share_of_good(repeats, ("co", "post")), best_losses(repeats, ("co", "post"))
    assert often.is_significant
    assert often.one - often.other > 0.2
    assert often.low < often.one - often.other < often.high
    assert (best.p, best.one) == (1.0, pytest.approx(best.other))
    said = statement(repeats)
    assert "often: yes, co." in said
    assert "1.00 times" in said
    assert "no significant difference" in said
    assert "p = 0.0079" in said, "2 of the 252 ways to say which search was which"
    assert "not said here" in statement(repeats[:2])


def made_up(strategy: str, seed: int, rows: list[tuple[float, float, float]]) -> Search:
    """CPU time, LUTs and loss of each candidate, in order of time."""
    seconds, luts, loss = (np.array(column) for column in zip(*rows, strict=True))
    return replace(
        search(strategy, seed, loss.tolist()),
        cpu_s=float(seconds[-1]),
        luts=luts,
        reached_at=seconds,
        progress=(seconds, np.minimum.accumulate(loss)),
    )


def test_what_was_reached_with_the_same_compute() -> None:
    """All four strategies by hand; hgq, which took 40 s, sets the budget."""
    long = [
        made_up("post", 1, [(30, 900, 0.6), (50, 400, 0.1)]),
        made_up("co", 1, [(10, 5000, 0.8), (20, 1500, 0.5), (40, 450, 0.9), (80, 450, 0.3)]),
        made_up("front", 1, [(20, 480, 0.7), (40, 1900, 0.4)]),
        made_up("hgq", 1, [(10, 4000, 0.35), (20, 1000, 0.45), (40, 300, 0.75)]),
    ]
    short = [
        made_up("co", 1, [(4, 900, 0.5), (8, 600, 0.25)]),
        made_up("co", 2, [(4, 900, 0.7), (10, 600, 0.35)]),
        made_up("post", 1, [(6, 2500, 0.4), (12, 450, 0.2)]),
    ]
    *_, whole, repeated = tables(long, short)
    assert [column.name for column in whole.columns[3:]] == [
        *("CPU [s]", "after 10 s", "after 20 s", "after 40 s"),
        *("at its end", "within 500 LUT", "within 1,000 LUT", "within 2,000 LUT"),
    ]
    assert [[row[0], *row[3:]] for row in whole.rows] == [
        ["post", "50", "–", "–", "0.6", "0.1", "–", "0.6", "0.6"],
        ["co", "80", "0.8", "0.5", "0.5", "0.3", "0.9", "0.9", "0.5"],
        ["front", "40", "–", "0.7", "0.4", "0.4", "0.7", "0.7", "0.4"],
        ["hgq", "40", "0.35", "0.35", "0.35", "0.35", "0.75", "0.45", "0.45"],
    ]
    # the least of the budgets of all; the mean and deviation of 0.25 and 0.7, if one was in time
    assert [column.name for column in repeated.columns[4:7]] == [f"after {n} s" for n in (2, 4, 8)]
    co, post = repeated.rows
    assert co[:7] == ["co", "2", "4", "9", "–", "0.6 ± 0.14", "0.475 ± 0.32"]
    assert co[7:] == ["0.3 ± 0.071", "–", "0.475 ± 0.32", "0.475 ± 0.32"]
    assert post == ["post", "1", "4", "12", "–", "–", "0.4", "0.2", "–", "–", "–"]
    old = [replace(one, reached_at=np.full(len(one.loss), np.nan)) for one in long]
    *_, unknown = tables(old, [])
    assert [row[:8] for row in unknown.rows] == [row[:8] for row in whole.rows]
    assert {cell for row in unknown.rows for cell in row[8:]} == {"–"}, "tables that do not say"
