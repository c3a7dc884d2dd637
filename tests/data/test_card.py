"""Data cards survive a round trip and refuse what is not one."""

from pathlib import Path

import pytest

from l1distill.core.errors import DataError
from l1distill.data.card import Card, FileCard, SampleCard, read_card, write_card

CARD = Card(
    dataset="anomaly",
    settings={"seed": 1},
    versions={"numpy": "1.26.4"},
    files={
        "background": FileCard(train=5, test=4, validation=1, sha256="0" * 64),
        "a_4l": FileCard(train=1, test=1, validation=0, sha256="1" * 64),
    },
    samples={
        "w": SampleCard(events=10, tried=40, acceptance=0.25, settings=["a = b"], truth_mass=80.4)
    },
    checks={"z_peak_gev": 91.2},
    missing=["everything"],
)


def test_round_trip(tmp_path: Path) -> None:
    write_card(tmp_path, CARD)
    assert read_card(tmp_path) == CARD
    assert list(read_card(tmp_path).files) == ["background", "a_4l"]
    assert CARD.files["background"].events == 10
    assert [path.name for path in tmp_path.iterdir()] == ["card.json"]


def test_missing_card(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"card\.json: no data card"):
        read_card(tmp_path)


@pytest.mark.parametrize("text", ["", "{}", "not json", '{"dataset": 3}'])
def test_not_a_card(tmp_path: Path, text: str) -> None:
    (tmp_path / "card.json").write_text(text)
    with pytest.raises(DataError, match="not a data card") as caught:
        read_card(tmp_path)
    assert "\n" not in str(caught.value)
