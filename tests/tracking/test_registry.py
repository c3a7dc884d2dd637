"""The registry in a real store: who becomes champion, who stays it, and what is written of it."""

import threading
import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from l1distill.artifacts.record import ModelSpec
from l1distill.core.errors import DataError
from l1distill.core.workspace import write_json
from l1distill.registry.card import StudentCard
from l1distill.registry.decision import Decision, Outcome, Rules, decide
from l1distill.registry.evidence import Evidence
from l1distill.registry.gates import Gate
from l1distill.registry.objective import Objective
from l1distill.registry.version_tags import verdict_tags
from l1distill.tracking.cards import CARD
from l1distill.tracking.history import Actor, Event, History
from l1distill.tracking.promotion import Standing, promoter
from l1distill.tracking.registry import (
    CHALLENGER,
    CHAMPION,
    EVIDENCE,
    PROMOTION_RUN,
    ModelRegistry,
)
from l1distill.tracking.rollback import roll_back
from l1distill.tracking.runs import Run, stage_run
from l1distill.tracking.store import Store

NAME = "trigger"
SPEC = ModelSpec(
    name="student",
    script="l1distill.tracking.served.student",
    artifacts={"student": "student.h5", "inputs": "inputs.json"},
    requirements=["numpy"],
)
ACTOR = Actor(by="somebody@somewhere", commit="0123456789")


class Registry:
    """A registered model, and promotions as the stage does them."""

    def __init__(self, store: Store, folder: Path, name: str = NAME) -> None:
        self.store, self.folder, self.name = store, folder, name
        self.minimum = 0.5
        self.damaged: set[str] = set()
        self.card: StudentCard | None = None
        self.models = ModelRegistry(store.client, name)

    def judge(self, evidence: Evidence, champion: Standing) -> Decision:
        rules = Rules(
            gates={"auc": Gate(metric="auc/a", min=self.minimum)},
            objective=Objective(metrics=["auc/a"]),
        )
        return decide(
            rules,
            evidence,
            champion.evidence,
            has_champion=champion.version is not None,
            set_back=champion.set_back,
        )

    def promote(self, content: str, auc: float, error: float = 0.01) -> tuple[str, Outcome]:
        """Judge a student of which nothing exists but its evidence."""
        run = self.store.client.create_run(self.store.experiment_id)
        metrics = {"auc/a": auc, "auc_error/a": error}
        evidence = Evidence(content_sha256=content, dataset_md5="d", metrics=metrics)
        path = self.folder / content / EVIDENCE
        path.parent.mkdir(exist_ok=True)
        evidence.write(path)
        self.store.client.log_artifact(run.info.run_id, str(path))
        if self.card is not None:
            self.card.write(path.with_name(CARD))
            self.store.client.log_artifact(run.info.run_id, str(path.with_name(CARD)))
        self.store.client.set_terminated(run.info.run_id)
        with self.promoter() as one:
            version = self.models.version_of(content) or self._add(content, run.info.run_id)
            decision = self.judge(evidence, one.standing(content))
            move = one.plan(version, decision, self.judge)
            tags = {**verdict_tags(decision, "sets"), PROMOTION_RUN: run.info.run_id}
            one.carry_out(version, move, tags)
        return version, decision.outcome

    def promoter(self):  # type: ignore[no-untyped-def]
        return promoter(self.models, ACTOR, self._prove)

    def _prove(self, models: ModelRegistry, version: str, evidence: Evidence) -> None:
        assert models.tags(version)["content_sha256"] == evidence.content_sha256
        if version in self.damaged:
            raise DataError(f"version {version} is damaged")

    def _add(self, content: str, run_id: str) -> str:
        if not self.store.client.search_registered_models(f"name = '{self.name}'"):
            self.store.client.create_registered_model(self.name)
        return str(
            self.store.client.create_model_version(
                self.name, f"runs:/{run_id}/model", run_id, tags={"content_sha256": content}
            ).version
        )

    @property
    def champion(self) -> str | None:
        return self.models.alias(CHAMPION)

    @property
    def challenger(self) -> str | None:
        return self.models.alias(CHALLENGER)

    @property
    def events(self) -> list[Event]:
        return History(self.store.client, self.name).events()

    @property
    def story(self) -> list[tuple[str, str, str | None]]:
        assert all(event.done for event in self.events)
        return [(event.action, event.version, event.champion_after) for event in self.events]


@pytest.fixture
def registry(store: Store, tmp_path: Path) -> Registry:
    return Registry(store, tmp_path)


@pytest.fixture
def anywhere(any_store: Store, tmp_path: Path) -> Registry:
    """In the default store, and behind a server; its name is nobody else's."""
    return Registry(any_store, tmp_path, f"{NAME}-{uuid.uuid4()}")


def test_only_who_is_better_takes_the_place_of_the_champion(anywhere: Registry) -> None:
    assert anywhere.promote("bad", 0.4) == ("1", Outcome.REFUSED)
    assert anywhere.champion is None
    assert anywhere.promote("first", 0.80) == ("2", Outcome.CHAMPION)
    assert anywhere.promote("worse", 0.79) == ("3", Outcome.CHALLENGER)
    assert (anywhere.champion, anywhere.challenger) == ("2", "3")
    assert anywhere.promote("better", 0.9) == ("4", Outcome.CHAMPION)
    assert (anywhere.champion, anywhere.challenger) == ("4", "3")
    assert anywhere.promote("bad", 0.4) == ("1", Outcome.REFUSED)
    assert anywhere.champion == "4", "a refused candidate does not touch the champion"
    assert anywhere.story == [
        ("refuse", "1", None),
        ("promote", "2", "2"),
        ("challenge", "3", "2"),
        ("promote", "4", "4"),
        ("refuse", "1", "4"),
    ]
    last = anywhere.events[-2]
    assert last.champion_before == "2"
    assert (last.by, last.commit) == ("somebody@somewhere", "0123456789")
    assert last.reason.startswith("auc/a is 0.9, 0.1 better than the champion's")
    tags = anywhere.models.tags("1")
    assert tags["verdict"] == "refused"
    assert "0.4 is below 0.5" in tags["reason"]


def test_a_challenger_that_becomes_champion_is_no_challenger(registry: Registry) -> None:
    registry.promote("first", 0.8)
    registry.promote("second", 0.805)
    assert registry.challenger == "2"
    assert registry.promote("second", 0.9) == ("2", Outcome.CHAMPION)
    assert (registry.champion, registry.challenger) == ("2", None)


def test_a_champion_that_no_longer_passes_is_replaced_by_one_that_does(registry: Registry) -> None:
    registry.promote("first", 0.70)
    registry.promote("second", 0.80)
    registry.promote("third", 0.90)
    registry.minimum = 0.75
    assert registry.promote("third", 0.6) == ("3", Outcome.REFUSED)
    assert registry.champion == "2"
    assert registry.story[-1] == ("fall back", "3", "2")
    assert registry.models.tags("3")["verdict"] == "refused"


@pytest.mark.fault(
    stage="promote",
    fault="failed run",
    outcome="a version whose run is not FINISHED does not become champion; its student is "
    "registered anew",
)
@pytest.mark.fault(
    stage="rollback",
    fault="changed or missing file in the store",
    outcome="one line; the champion stays",
)
@pytest.mark.fault(
    stage="rollback",
    fault="failed run",
    outcome="one line; the champion stays",
)
def test_what_is_damaged_in_the_store_or_broke_off_takes_no_place(registry: Registry) -> None:
    for content, auc in (("first", 0.7), ("second", 0.8), ("third", 0.9)):
        registry.promote(content, auc)
    registry.damaged = {"2"}
    with registry.promoter() as one, pytest.raises(DataError, match="is damaged"):
        roll_back(one, "2", "", registry.judge)
    assert registry.champion == "3"
    registry.minimum = 0.65
    assert registry.promote("third", 0.6) == ("3", Outcome.REFUSED)
    assert registry.champion == "1"

    client = registry.store.client
    client.set_terminated(client.get_model_version(NAME, "2").run_id, "FAILED")
    registry.damaged = set()
    with registry.promoter() as one, pytest.raises(DataError, match="not FINISHED"):
        roll_back(one, "2", "", registry.judge)
    assert registry.promote("second", 0.8) == ("4", Outcome.CHAMPION), "registered anew"


def test_the_post_is_never_empty(registry: Registry) -> None:
    registry.promote("first", 0.70)
    registry.promote("second", 0.80)
    registry.minimum = 0.95
    assert registry.promote("second", 0.80) == ("2", Outcome.REFUSED)
    assert registry.champion == "2"
    assert registry.story[-1] == ("keep", "2", "2")
    assert "stays champion because no other version passes" in registry.events[-1].reason


@pytest.mark.fault(
    stage="promote",
    fault="two promoters at once",
    outcome="one is champion, the other challenger, and the history shows both",
)
def test_of_two_promoters_at_once_one_wins_and_history_shows_both(anywhere: Registry) -> None:
    anywhere.promote("first", 0.70)
    barrier, outcomes = threading.Barrier(2), {}

    def promote(content: str, auc: float) -> None:
        barrier.wait()
        outcomes[content] = anywhere.promote(content, auc)

    threads = [threading.Thread(target=promote, args=one) for one in (("a", 0.9), ("b", 0.901))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcome for _, outcome in outcomes.values()) == [
        Outcome.CHALLENGER,
        Outcome.CHAMPION,
    ]
    (winner,) = [v for v, outcome in outcomes.values() if outcome is Outcome.CHAMPION]
    (loser,) = [v for v, outcome in outcomes.values() if outcome is Outcome.CHALLENGER]
    assert (anywhere.champion, anywhere.challenger) == (winner, loser)
    assert anywhere.story[1:] == [("promote", winner, winner), ("challenge", loser, winner)]
    like = f"name LIKE '{anywhere.name}%'"
    names = {model.name for model in anywhere.store.client.search_registered_models(like)}
    assert names == {anywhere.name}, "the lock is gone"


def test_a_move_that_a_killed_process_had_begun_is_completed(anywhere: Registry) -> None:
    anywhere.promote("first", 0.7)
    anywhere.promote("second", 0.705)
    history = History(anywhere.store.client, anywhere.name)
    history.begin("promote", "2", "1", "2", "killed before the alias moved", ACTOR)
    assert anywhere.champion == "1"
    with anywhere.promoter():
        assert anywhere.champion == "2"
    assert anywhere.challenger is None
    assert anywhere.story[-1] == ("promote", "2", "2")


def test_an_alias_that_was_moved_by_other_means_is_noted_and_respected(registry: Registry) -> None:
    registry.promote("first", 0.7)
    registry.promote("second", 0.9)
    registry.store.client.set_registered_model_alias(NAME, CHAMPION, "1")
    assert registry.promote("third", 0.8) == ("3", Outcome.CHAMPION)
    assert registry.story[-2:] == [("outside", "1", "1"), ("promote", "3", "3")]


def test_rollback_makes_the_champion_before_champion_again(anywhere: Registry) -> None:
    anywhere.promote("first", 0.7)
    anywhere.promote("second", 0.9)
    with anywhere.promoter() as one:
        before, after, decision = roll_back(one, None, "noisy at night", anywhere.judge)
    assert (before, after, decision.outcome) == ("2", "1", Outcome.CHAMPION)
    assert anywhere.champion == "1"
    assert anywhere.story[-1] == ("rollback", "1", "1")
    assert anywhere.events[-1].reason == "noisy at night"
    assert anywhere.promote("second", 0.9) == ("2", Outcome.CHALLENGER), "not by itself"
    with anywhere.promoter() as one, pytest.raises(DataError, match="no predecessor"):
        roll_back(one, None, "again", anywhere.judge)
    with anywhere.promoter() as one, pytest.raises(DataError, match="has 2, 1"):
        roll_back(one, "7", "", anywhere.judge)
    anywhere.minimum = 0.95
    with anywhere.promoter() as one:
        assert roll_back(one, "2", "", anywhere.judge)[2].outcome is Outcome.REFUSED
    assert anywhere.champion == "1"


@pytest.mark.fault(
    stage="promote",
    fault="clock that goes backwards",
    outcome="the history is in the order of what happened, and the next decision stands on it",
)
def test_a_clock_that_goes_backwards_does_not_turn_history_round(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Backwards(datetime):
        years = iter((2040, 2030, 2020))

        @classmethod
        def now(cls, tz=None):  # type: ignore[no-untyped-def]
            return cls(next(cls.years), 1, 1, tzinfo=tz)

    monkeypatch.setattr("l1distill.tracking.history.datetime", Backwards)
    registry.promote("first", 0.7)
    registry.promote("second", 0.8)
    with registry.promoter() as one:
        assert roll_back(one, None, "noisy", registry.judge)[:2] == ("2", "1")
    assert [event.time[:4] for event in registry.events] == ["2040", "2030", "2020"]
    assert [action for action, *_ in registry.story] == ["promote", "promote", "rollback"]


def test_evidence_of_another_content_does_not_count(registry: Registry) -> None:
    registry.promote("first", 0.7)
    evidence = registry.models.evidence("1")
    assert evidence is not None
    assert evidence.metrics["auc/a"] == 0.7
    registry.store.client.set_model_version_tag(NAME, "1", "content_sha256", "other")
    assert registry.models.evidence("1") is None


def test_a_store_of_an_earlier_version_goes_on(store: Store) -> None:
    """Its model has another name, no history, and no evidence but the metrics of its run."""
    client = store.client
    run = client.create_run(store.experiment_id, tags={"dataset_md5": "d"})
    for key, value in {"auc/a": 0.8, "auc_error/a": 0.01}.items():
        client.log_metric(run.info.run_id, key, value)
    client.create_registered_model("l1distill-trigger")
    tags = {"content_sha256": "x", "verdict": "passed"}
    client.create_model_version("l1distill-trigger", "s3://nowhere", run.info.run_id, tags=tags)
    client.set_registered_model_alias("l1distill-trigger", CHAMPION, "1")
    registry = ModelRegistry(client, "l1distill-anomaly")
    assert registry.name == "l1distill-trigger"
    assert registry.alias(CHAMPION) == "1"
    evidence = registry.evidence("1")
    assert evidence is not None
    assert (evidence.metrics["auc/a"], evidence.dataset_md5) == (0.8, "d")
    assert ModelRegistry(client, "l1distill-pileup").name == "l1distill-pileup"
    client.create_registered_model("l1distill-anomaly")
    assert ModelRegistry(client, "l1distill-anomaly").name == "l1distill-anomaly"


@pytest.fixture
def run(store: Store, tmp_path: Path) -> Iterator[Run]:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "student.h5").write_bytes(b"weights")
    write_json(tmp_path / "model" / "inputs.json", {"shape": [1], "features": [{"name": "x"}]})
    with stage_run(store, "promote") as run:
        yield run


def test_the_version_belongs_to_its_logged_model(run: Run) -> None:
    registry = ModelRegistry(run.client, NAME)
    model_id = run.log_model(SPEC, Path("model"), {"content_sha256": "a"})
    version = registry.add(model_id, "a")
    found = run.client.get_model_version(NAME, version)
    assert found.run_id == run.run_id
    model = run.client.get_logged_model(found.source.removeprefix("models:/"))
    assert "mlflow.modelVersions" in model.tags
    assert model.source_run_id == run.run_id
    files = {path.name for path in Path(model.artifact_location).rglob("*")}
    assert {"student.h5", "inputs.json", "student.py"} <= files
