"""Searches that are read from their tables and compared."""

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


def test_what_was_reached_with_the_same_compute() -> None:
    repeats = [search("co", 1, [0.5, 1.0]), search("co", 2, [0.7]), search("post", 1, [0.4])]
    *_, compute = tables(repeats[:1], repeats)
    assert [column.name for column in compute.columns[-3:]] == [
        "after 2 s",
        "after 5 s",
        "after 10 s",
    ]
    assert compute.rows[0][-3:] == ["–", "1.2 ± 0.28", "0.6 ± 0.14"]
    assert compute.rows[1][-3:] == ["–", "0.8", "0.4"]
