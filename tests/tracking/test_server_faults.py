"""A server that goes away at each request in turn, loses answers, or has a full disk."""

import os
import re
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import mlflow
import pytest

from l1distill.artifacts.record import ModelSpec
from l1distill.core.errors import ResourceError
from l1distill.core.workspace import folder_sha256, write_json
from l1distill.registry.decision import Outcome
from l1distill.stages.stage import Context, Result, Stage
from l1distill.tracking.history import History
from l1distill.tracking.registry import ModelRegistry
from l1distill.tracking.runs import stage_run
from l1distill.tracking.store import connect
from l1distill.tracking.store_errors import store_errors_as_one_line
from tests.processes import end, start
from tests.proxy import Fault, Proxy, full_disk, lose_first, pass_on, proxy, refuse_first
from tests.servers import Server
from tests.stages.toy import FIRST, execute, settings_of
from tests.tracking.conftest import SETTINGS
from tests.tracking.test_registry import Registry

pytestmark = pytest.mark.needs_program("postgres")
MODEL = ModelSpec(
    name="student",
    script="l1distill.tracking.served.student",
    artifacts={"inputs": "inputs.json"},
    requirements=["numpy"],
)


@pytest.fixture
def between(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Proxy]:
    """A proxy before the server, to which MLflow's client is told to go; it does not pause."""
    monkeypatch.chdir(tmp_path)
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_JITTER", "0")
    # What is logged with a model is the package, hundreds of files that are all alike to a server.
    package = tmp_path / "package" / "l1distill"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text('"""Stands for it."""\n')
    monkeypatch.setattr("l1distill.tracking.models.PACKAGE", package)
    with proxy(server.uri) as between:
        mlflow.set_tracking_uri(between.uri)
        yield between
        between.rule = pass_on
    mlflow.set_tracking_uri(None)


def _log_all(settings: object, context: Context) -> Result:
    """Does what stages do: losses while it runs; files, metrics and a model at its end."""
    with context.epochs("train", 2) as on_epoch:
        for epoch in range(2):
            on_epoch(epoch, {"loss": 1.0 / (1 + epoch)})
    (context.folder / "out.txt").write_text("hello")
    write_json(context.folder / "inputs.json", {"shape": [1], "features": [{"name": "x"}]})
    return Result(metrics={"auc": 0.9}, dataset_md5="0" * 32, model=MODEL)


STAGE: Stage = replace(FIRST, run=_log_all)  # type: ignore[type-arg]


def _status(experiment: str) -> list[str]:
    client = mlflow.MlflowClient()
    found = client.get_experiment_by_name(experiment)
    runs = client.search_runs([found.experiment_id]) if found else []
    return [run.info.status for run in runs]


def lose_first_but_one(method: str, path: str, attempt: int) -> Fault:
    """Leaves out the one request of MLflow's that a server does not take twice."""
    return None if path.endswith("/runs/outputs") else lose_first(method, path, attempt)


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param(
            refuse_first,
            marks=pytest.mark.fault(
                stage="every stage",
                fault="the server stops, and is back, at each request",
                outcome="each request is made again; run and output are as without the fault",
            ),
        ),
        pytest.param(
            lose_first_but_one,
            marks=pytest.mark.fault(
                stage="every stage",
                fault="the server stops after each request, before its answer",
                outcome="each request is made again, and one run is FINISHED; one without content "
                "is ended as KILLED when its lease has expired",
            ),
        ),
    ],
)
def test_a_server_that_is_back_costs_nothing(between: Proxy, rule) -> None:  # type: ignore[no-untyped-def]
    experiment = f"test {uuid.uuid4()}"
    between.rule = rule
    execute(STAGE, settings_of("out", experiment), {"seed": 1})
    between.rule = pass_on
    assert max(between.attempts.values()) > 1
    client = mlflow.MlflowClient()
    found = client.get_experiment_by_name(experiment)
    (run,) = client.search_runs([found.experiment_id], "attributes.status = 'FINISHED'")
    assert run.data.metrics == {"auc": 0.9, "loss": 0.5}
    assert run.data.params == {"task.name": "toy", "seed": "1"}
    assert run.data.tags["output_sha256"] == folder_sha256(Path("out"))
    assert {file.path for file in client.list_artifacts(run.info.run_id)} == {"out.txt"}
    others = client.search_runs([found.experiment_id], "attributes.status != 'FINISHED'")
    assert [other.data.params for other in others] == ([] if rule is refuse_first else [{}])
    assert all("lease" in other.data.tags for other in others)


@pytest.mark.fault(
    stage="every stage",
    fault="the server stops after each request, before its answer",
    outcome="where MLflow's server does not take a request twice, one line that says to run the "
    "command again; the earlier output is as it was",
)
def test_a_lost_answer_that_cannot_be_repeated_is_one_line(between: Proxy) -> None:
    between.rule = lambda _, path, attempt: (
        "lose" if path.endswith("/runs/outputs") and attempt == 1 else None
    )
    with pytest.raises(ResourceError, match=r"its answer to a request was lost .* run the command"):
        execute(STAGE, settings_of("out", f"test {uuid.uuid4()}"), {"seed": 1})
    assert not Path("out").exists()


@pytest.mark.fault(
    stage="every stage",
    fault="the server stops for good, at each request",
    outcome="after the retries of MLflow's client one line; the earlier output is as it was; "
    "no run is FINISHED whose output is not in place",
)
def test_a_server_that_is_gone_is_one_line_and_loses_nothing(
    between: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = f"test {uuid.uuid4()}"
    execute(STAGE, settings_of("out", experiment), {"seed": 1})
    whole, before = between.number_of_requests, folder_sha256(Path("out"))
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    reached = 0
    for last in range(1, whole, 4):
        between.attempts.clear()
        between.rule = lambda *_, last=last: "refuse" if between.number_of_requests > last else None
        with pytest.raises(ResourceError) as error:
            execute(STAGE, settings_of("out", experiment, text="other"), {"seed": 2})
        between.rule = pass_on
        assert re.match(rf"MLflow store {between.uri}: .*; ", str(error.value))
        assert "\n" not in str(error.value)
        published = folder_sha256(Path("out")) != before
        reached = max(reached, last)
        statuses = _status(experiment)
        assert statuses.count("FINISHED") == 1, f"after {last} requests"
        assert not published or last >= whole - 4, "the output is replaced with the last request"
    assert reached >= whole - 5
    execute(STAGE, settings_of("out", experiment), {"seed": 3})
    assert _status(experiment).count("FINISHED") == 2


@pytest.mark.fault(
    stage="every stage",
    fault="the disk behind the server is full",
    outcome="one line that says so; the earlier output is as it was; the run is not FINISHED",
)
def test_a_full_disk_behind_the_server_is_one_line(between: Proxy) -> None:
    experiment = f"test {uuid.uuid4()}"
    execute(STAGE, settings_of("out", experiment), {"seed": 1})
    before = folder_sha256(Path("out"))

    def then_full(settings: object, context: Context) -> Result:
        between.rule = full_disk
        return _log_all(settings, context)

    def then_full_for_files(settings: object, context: Context) -> Result:
        between.rule = lambda method, *_: "full" if method == "PUT" else None
        return _log_all(settings, context)

    for run in (then_full, then_full_for_files):
        with pytest.raises(
            ResourceError, match=r"No space left on device.*make room there"
        ) as error:
            execute(replace(STAGE, run=run), settings_of("out", experiment), {"seed": 2})
        between.rule = pass_on
        assert "\n" not in str(error.value)
        assert folder_sha256(Path("out")) == before
    assert _status(experiment).count("FINISHED") == 1


@pytest.fixture
def registry(between: Proxy, tmp_path: Path) -> Registry:
    store = connect(SETTINGS.model_copy(update={"experiment": f"test {uuid.uuid4()}"}))
    registry = Registry(store, tmp_path, f"trigger-{uuid.uuid4()}")
    assert registry.promote("first", 0.7) == ("1", Outcome.CHAMPION)
    return registry


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param(
            refuse_first,
            marks=pytest.mark.fault(
                stage="promote",
                fault="the server stops, and is back, at each request",
                outcome="each request is made again; the better student is champion",
            ),
        ),
        pytest.param(
            lose_first,
            marks=pytest.mark.fault(
                stage="promote",
                fault="the server stops after each request, before its answer",
                outcome="each request is made again; the better student is champion, the lock of "
                "the registry is known as one's own",
            ),
        ),
    ],
)
def test_a_promotion_outlives_a_server_that_is_back(
    between: Proxy, registry: Registry, rule
) -> None:  # type: ignore[no-untyped-def]
    between.attempts.clear()
    between.rule = rule
    version, outcome = registry.promote("better", 0.9)
    between.rule = pass_on
    assert outcome is Outcome.CHAMPION
    assert registry.champion == version
    assert registry.story[-1] == ("promote", version, version)
    like = f"name LIKE '{registry.name}%'"
    assert len(registry.store.client.search_registered_models(like)) == 1, "the lock is gone"


@pytest.mark.fault(
    stage="promote",
    fault="the server stops for good, at each request",
    outcome="one line; the champion is the old or the new one, and the next promotion completes "
    "what was begun",
)
@pytest.mark.usefixtures("no_waiting_for_locks")
def test_a_promotion_that_loses_its_server_leaves_a_champion(
    between: Proxy, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    between.attempts.clear()
    registry.promote("second", 0.71)
    whole = between.number_of_requests
    for last in range(2, whole, 5):
        between.attempts.clear()
        between.rule = lambda *_, last=last: "refuse" if between.number_of_requests > last else None
        with pytest.raises(ResourceError, match=r"^MLflow store"), store_errors_as_one_line():
            registry.promote(f"better {last}", 0.8)
        between.rule = pass_on
        models = ModelRegistry(registry.store.client, registry.name)
        champion = models.alias("champion")
        assert champion is not None
        assert models.is_finished(champion)
    with registry.promoter():
        pass
    events = History(registry.store.client, registry.name).events()
    assert all(event.done for event in events)
    assert registry.champion == events[-1].champion_after


def _pass(uri: str, environment: dict[str, str], experiment: str) -> None:
    os.environ.update(environment)
    settings = SETTINGS.model_copy(update={"uri": uri, "experiment": experiment})
    with stage_run(connect(settings), "parallel"):
        pass


@pytest.mark.fault(
    stage="every stage",
    fault="eight processes at once on a store that is not there yet",
    outcome="on a server, one makes the experiment, and the runs of all are in it, FINISHED",
)
def test_eight_processes_make_an_experiment_of_a_server_at_once(server: Server) -> None:
    experiment = f"test {uuid.uuid4()}"
    environment = dict(server.environment)
    processes = [start(_pass, server.uri, environment, experiment) for _ in range(8)]
    assert [end(process) for process in processes] == [0] * 8
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        mlflow.set_tracking_uri(server.uri)
        assert _status(experiment) == ["FINISHED"] * 8
        mlflow.set_tracking_uri(None)
