import csv
from pathlib import Path

from l1distill.training.history import History

HISTORY = History(loss=[3.0, 2.0, 1.5], validation_loss=[2.5, 1.25, 1.75])


def test_losses_are_written_epoch_by_epoch(tmp_path: Path) -> None:
    HISTORY.write(tmp_path / "history.csv")
    with (tmp_path / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows == [
        {"epoch": "1", "loss": "3.0", "validation_loss": "2.5"},
        {"epoch": "2", "loss": "2.0", "validation_loss": "1.25"},
        {"epoch": "3", "loss": "1.5", "validation_loss": "1.75"},
    ]


def test_metrics_are_those_of_the_best_epoch() -> None:
    assert HISTORY.metrics() == {"epochs": 3.0, "best_validation_loss": 1.25}
