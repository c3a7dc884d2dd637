"""What the user interface says of a registered model and its versions, as the aliases move."""

from pathlib import Path

import pytest

from l1distill.registry.card import (
    FirmwareFigures,
    PublishedFirmware,
    StudentCard,
    firmware_table,
)
from l1distill.reporting.tables import Column, Table
from l1distill.tracking.cards import LONGEST
from l1distill.tracking.registry import CHAMPION
from l1distill.tracking.rollback import roll_back
from l1distill.tracking.store import Store
from tests.tracking.test_registry import NAME, Registry

PUBLISHED = PublishedFirmware(
    rows=[
        FirmwareFigures(
            network="teacher", device="VU9P", latency_ns=1480, ii_ns=895, percent={"lut": 47},
            source="a paper",
        )
    ],
    note="Theirs is not ours.",
)  # fmt: skip
METRICS = {
    "firmware/latency_ns": 35.0,
    "firmware/ii_ns": 5.0,
    "firmware/lut_percent": 0.27524,
    "firmware/mismatches": 0.0,
    "firmware/verified_events": 10000.0,
}


def a_card(note: str = "A note.") -> StudentCard:
    physics = Table(
        title="Teacher against student",
        columns=[Column(name="signal"), Column(name="student AUC", numeric=True)],
        rows=[["A | B", "0.857 ± 0.012"]],
        notes=[note],
    )
    return StudentCard(
        title="Anomaly trigger",
        summary="It finds what is new.",
        shape=(19, 3),
        tables=[physics, firmware_table(METRICS, "VU9P", PUBLISHED)],
        pictures=[("student", "plots/roc.png", "ROC curves")],
        limitations=["It knows what it has seen."],
    )


@pytest.fixture
def registry(store: Store, tmp_path: Path) -> Registry:
    registry = Registry(store, tmp_path)
    registry.card = a_card()
    return registry


def _of(registry: Registry, version: str | None = None) -> str:
    client = registry.store.client
    if version is None:
        return str(client.get_registered_model(NAME).description)
    return str(client.get_model_version(NAME, version).description)


def test_the_descriptions_follow_promotion_and_rollback(registry: Registry) -> None:
    registry.promote("first", 0.8)
    assert _of(registry, "1").startswith("Champion since 2")
    assert "it passes all gates, and there is no champion" in _of(registry, "1")
    registry.promote("worse", 0.7)
    assert _of(registry, "2").startswith("Challenger since 2")
    assert "auc/a is 0.7, 0.1 worse than the champion's" in _of(registry, "2")
    registry.promote("better", 0.9)
    registry.promote("bad", 0.4)
    assert _of(registry, "3").startswith("Champion since 2")
    assert _of(registry, "1").startswith("Former champion until 2")
    assert "Its place took [version 3](#/models/trigger/versions/3" in _of(registry, "1")
    assert _of(registry, "4").startswith("Refused since 2")
    assert "| **champion** | [version 3](#/models/trigger/versions/3" in _of(registry)
    assert "| **challenger** | [version 2](#/models/trigger/versions/2" in _of(registry)
    with registry.promoter() as one:
        roll_back(one, None, "rate of 40 kHz", registry.judge)
    assert _of(registry, "1").startswith("Champion since 2")
    assert _of(registry, "3").startswith("Former champion until 2")
    assert "Why, at the time: *rate of 40 kHz* (somebody@somewhere, commit" in _of(registry, "3")
    assert "| **champion** | [version 1](#/models/trigger/versions/1" in _of(registry)
    assert "rate of 40 kHz" in _of(registry)


def test_a_version_has_figures_gates_and_how_to_load_it(registry: Registry) -> None:
    registry.promote("first", 0.8)
    card = _of(registry, "1")
    for line in (
        "It finds what is new.",
        "| A \\| B | 0.857 ± 0.012 |",
        "| **this student** | VU9P | 35 | 5 | 0.275 | – | – | – |",
        "| teacher (a paper) | VU9P | 1,480 | 895 | 47 | – | – | – |",
        "Of 10,000 events, 0 differ",
        "1 of 1 gates of the set `sets` passed.",
        "| auc | passed: 0.8 [0.79, 0.81] (≥ 0.5) |",
        'mlflow.pyfunc.load_model("models:/trigger/1")',
        "events: (n, 19, 3)",
        "Theirs is not ours.",
        "- It knows what it has seen.",
    ):
        assert line in card
    assert 'mlflow.pyfunc.load_model("models:/trigger@champion")' in _of(registry)
    assert "**Anomaly trigger.** It finds what is new." in _of(registry)


def test_what_a_database_would_not_take_is_left_out(registry: Registry) -> None:
    """PostgreSQL refuses more than 5000 characters; SQLite takes anything."""
    registry.card = a_card("very long " * 400)
    registry.promote("first", 0.8)
    card = _of(registry, "1")
    assert 1000 < len(card) <= LONGEST == 5000
    assert card.rstrip().split("\n\n")[-1].startswith("The rest: [card.json](#/experiments/")
    assert "| auc | passed" in card


def test_versions_of_earlier_releases_and_deleted_ones(registry: Registry) -> None:
    registry.card = None
    registry.promote("first", 0.8)
    assert _of(registry, "1").startswith("Champion since 2")
    registry.promote("better", 0.9)
    registry.store.client.delete_model_version(NAME, "1")
    registry.promote("best", 0.99)
    assert _of(registry, "3").startswith("Champion since 2")
    registry.store.client.set_registered_model_alias(NAME, CHAMPION, "2")
    with registry.promoter():
        pass
    assert "| **champion** | [version 2]" in _of(registry), "moved by other means"
    assert _of(registry, "3").startswith("Former champion until 2")


def test_a_card_reads_as_it_was_written(tmp_path: Path) -> None:
    a_card().write(tmp_path / "card.json")
    read = StudentCard.read(tmp_path / "card.json")
    assert read.tables[1].rows == a_card().tables[1].rows
    assert read.tables[0].columns[1].numeric
    assert read.pictures == [("student", "plots/roc.png", "ROC curves")]
