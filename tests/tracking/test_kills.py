"""Processes that are killed outright, at each step in turn, and what the next one finds."""

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import mlflow
import pytest

from l1distill.core.errors import ConfigError
from l1distill.core.workspace import folder_sha256
from l1distill.registry.decision import Outcome
from l1distill.stages.stage import Context, Result
from l1distill.tracking import registry_lock
from l1distill.tracking.runs import Run
from l1distill.tracking.store import Store, connect
from tests.processes import end, start
from tests.stages import toy
from tests.stages.toy import execute, settings_of
from tests.tracking.conftest import SETTINGS, SkippingTime
from tests.tracking.test_registry import Registry

WRITES = (
    "create_registered_model",
    "create_model_version",
    "set_model_version_tag",
    "set_registered_model_tag",
    "set_registered_model_alias",
    "delete_registered_model_alias",
    "delete_registered_model",
)
"""What a promotion asks of a client that changes the registry."""


def _die(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _die_before(target: object, names: tuple[str, ...], number: int) -> None:
    """Lets a process die before it calls one of the methods for the nth time."""
    calls = [0]

    def counted(method: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        calls[0] += 1
        if calls[0] == number:
            _die()
        return method(*arguments, **named)

    for name in names:
        setattr(target, name, partial(counted, getattr(target, name)))


def _promote(uri: str, folder: str, number: int) -> None:
    """Promotes a better student, and dies before a write; one too many, and it survives."""
    os.chdir(folder)
    mlflow.set_tracking_uri(uri)
    store = connect(SETTINGS)
    _die_before(store.client, WRITES, number)
    Registry(store, Path(folder)).promote("better", 0.9)


@pytest.mark.fault(
    stage="promote",
    fault="SIGKILL in the registration, and between moves of aliases",
    outcome="before each write in turn: there is a champion, the old or the new one; the next "
    "promotion completes what was begun, and the history shows it once",
)
@pytest.mark.usefixtures("no_waiting_for_locks")
def test_a_promotion_that_is_killed_anywhere_leaves_a_champion(
    empty_folder: Path, template: Path
) -> None:
    database = empty_folder / "mlflow.db"
    shutil.copy(template, database)
    first = Registry(connect(SETTINGS), empty_folder)
    assert first.promote("first", 0.7) == ("1", Outcome.CHAMPION)
    assert first.promote("second", 0.705) == ("2", Outcome.CHALLENGER)
    kept = empty_folder / "kept.db"
    shutil.copy(database, kept)
    champions = []
    for number in range(1, 20):
        name = empty_folder / f"{number}.db"
        shutil.copy(kept, name)
        uri = f"sqlite:///{name}"
        status = end(start(_promote, uri, str(empty_folder), number))
        mlflow.set_tracking_uri(uri)
        registry = Registry(connect(SETTINGS), empty_folder)
        champions.append(registry.champion)
        assert champions[-1] in {"1", "3"}
        with registry.promoter():
            pass
        champion = registry.champion
        assert champion is not None
        assert registry.models.is_finished(champion)
        assert registry.story.count(("promote", "3", "3")) == int(champion == "3")
        models = {model.name for model in registry.store.client.search_registered_models()}
        assert models == {registry.name}, "the lock is gone"
        version, outcome = registry.promote("better", 0.9)
        assert (version, outcome) == (registry.champion, Outcome.CHAMPION)
        if status == 0:
            break
        assert status == -signal.SIGKILL
    assert status == 0, "it was killed at every write"
    assert number > 8
    assert champions[0] == "1"
    assert champions[-1] == "3"


def _take_over(uri: str, number: int) -> None:
    """Takes over a lock that a dead process left, and dies before a write."""
    mlflow.set_tracking_uri(uri)
    registry_lock.time = SkippingTime()  # type: ignore[attr-defined]
    client = mlflow.MlflowClient()
    _die_before(client, WRITES, number)
    with registry_lock.registry_lock(client, "m"):
        _die()


@pytest.mark.fault(
    stage="promote",
    fault="SIGKILL while the lock of a dead process is taken over",
    outcome="before each write in turn: the next one takes it over",
)
@pytest.mark.usefixtures("no_waiting_for_locks")
def test_a_lock_is_taken_over_from_whoever_died(store: Store) -> None:
    """Writes: the lock, which is there; the mark of who removes it; its removal, and the mark's."""
    for number in range(1, 7):
        store.client.create_registered_model("m.lock", tags={"token": "dead", "owner": "nobody"})
        assert end(start(_take_over, mlflow.get_tracking_uri(), number)) == -signal.SIGKILL
        with registry_lock.registry_lock(store.client, "m"):
            pass
        left = {model.name for model in store.client.search_registered_models()}
        assert left <= {"m.lock.dead"}, "no lock; at most the mark of who removed it"
        for name in left:
            store.client.delete_registered_model(name)


POINTS = ("work", "files", "metrics", "end")
"""While the stage works; before its files, its metrics, and the end of its run are logged."""


def _run_stage(uri: str, folder: str, point: str) -> None:
    os.chdir(folder)
    mlflow.set_tracking_uri(uri)

    def write(settings: toy.Settings, context: Context) -> Result:
        if point == "work":
            _die()
        context.work.mkdir(parents=True, exist_ok=True)
        (context.work / "checkpoint").touch()
        return toy.write(settings, context)

    if point == "files":
        Run.log_files = _die  # type: ignore[method-assign]
    if point == "metrics":
        Run.log_metrics = _die  # type: ignore[method-assign]
    if point == "end":
        mlflow.end_run = _die
    execute(toy.replace_run(write), settings_of("out", lease_s=1, text="killed"))


@pytest.fixture
def folder(empty_folder: Path, template: Path) -> Iterator[Path]:
    shutil.copy(template, empty_folder / "mlflow.db")
    return empty_folder


@pytest.mark.fault(
    stage="every stage",
    fault="SIGKILL in the work, or while it is logged",
    outcome="the earlier output stays, or the new one is whole; the run is ended as KILLED by the "
    "next stage once its lease has expired; run again, the stage ends FINISHED",
)
def test_a_stage_that_is_killed_anywhere_loses_nothing(folder: Path) -> None:
    uri = mlflow.get_tracking_uri()
    execute(toy.FIRST, settings_of("out"))
    before = folder_sha256(Path("out"))
    for point in POINTS:
        assert end(start(_run_stage, uri, str(folder), point)) == -signal.SIGKILL
        is_published = point == "end"
        assert (folder_sha256(Path("out")) == before) != is_published
        execute(toy.FIRST, settings_of("out"))
        assert folder_sha256(Path("out")) == before
        assert not list(folder.glob(".out.part*"))
    client = mlflow.MlflowClient()
    found = client.get_experiment_by_name("test")
    assert found is not None

    def statuses() -> list[str]:
        runs = client.search_runs([found.experiment_id])
        return [run.info.status for run in runs if run.data.tags["lease"].count('"length_s": 1.0')]

    while "RUNNING" in statuses():
        execute(toy.FIRST, settings_of("other"))
    assert statuses() == ["KILLED"] * len(POINTS)


def _die_at_work(uri: str, folder: str, output: str) -> None:
    os.chdir(folder)
    mlflow.set_tracking_uri(uri)
    execute(toy.replace_run(_die), settings_of(output))  # type: ignore[arg-type]


@pytest.mark.fault(
    stage="every stage",
    fault="SIGKILL in the work, and the same command again",
    outcome="the run of the dead process is ended as KILLED at once, since its output is locked "
    "anew; those of other outputs are left to their leases",
)
def test_a_killed_run_is_ended_by_whoever_locks_its_output_next(folder: Path) -> None:
    uri = mlflow.get_tracking_uri()
    for output in ("out", "other"):
        assert end(start(_die_at_work, uri, str(folder), output)) == -signal.SIGKILL
    statuses: list[dict[str, str]] = []

    def look(settings: toy.Settings, context: Context) -> Result:
        runs = mlflow.MlflowClient().search_runs([context.run.experiment_id])
        statuses.append({run.info.run_id: run.info.status for run in runs})
        if settings.output == Path("out"):
            with pytest.raises(ConfigError, match="another l1distill process is writing it"):
                execute(toy.FIRST, settings_of("out"))
        return toy.write(settings, context)

    for output in ("out", "third"):  # the lock of a third one says nothing of the two
        execute(toy.replace_run(look), settings_of(output))
    assert [sorted(found.values()) for found in statuses] == [
        ["KILLED", "RUNNING", "RUNNING"],
        ["FINISHED", "KILLED", "RUNNING", "RUNNING"],
    ]
