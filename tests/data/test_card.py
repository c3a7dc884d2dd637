"""Data cards survive a round trip and refuse what is not one."""

from pathlib import Path

import pytest

from l1distill.data.card import Card, SampleCard, file_md5, read_card, write_card
from l1distill.errors import InputError

CARD = Card(
    dataset="anomaly",
    settings={"seed": 1},
    versions={"numpy": "1.26.4"},
    files={"background.h5": 10},
    md5={"background.h5": "0" * 32},
    samples={
        "w": SampleCard(events=10, tried=40, acceptance=0.25, settings=["a = b"], truth_mass=80.4)
    },
    checks={"z_peak_gev": 91.2},
    missing=["everything"],
)


def test_round_trip(tmp_path: Path) -> None:
    write_card(tmp_path, CARD)
    assert read_card(tmp_path) == CARD
    assert [path.name for path in tmp_path.iterdir()] == ["card.json"]


def test_missing_card(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"card\.json: no data card"):
        read_card(tmp_path)


@pytest.mark.parametrize("text", ["", "{}", "not json", '{"dataset": 3}'])
def test_not_a_card(tmp_path: Path, text: str) -> None:
    (tmp_path / "card.json").write_text(text)
    with pytest.raises(InputError, match="not a data card") as caught:
        read_card(tmp_path)
    assert "\n" not in str(caught.value)


def test_md5_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert file_md5(tmp_path / "a") == "900150983cd24fb0d6963f7d28e17f72"
