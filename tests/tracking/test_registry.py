"""The registry in a real store: who becomes champion, and who stays it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from l1distill.artifacts.record import ModelSpec
from l1distill.core.workspace import write_json
from l1distill.tracking.registry import CHAMPION, register
from l1distill.tracking.runs import Run, stage_run
from l1distill.tracking.store import Store

NAME = "trigger"
SPEC = ModelSpec(
    name="student",
    script="l1distill.tracking.served.student",
    artifacts={"student": "student.h5", "inputs": "inputs.json"},
    requirements=["numpy"],
)


@pytest.fixture
def run(store: Store, tmp_path: Path) -> Iterator[Run]:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "student.h5").write_bytes(b"weights")
    write_json(tmp_path / "model" / "inputs.json", {"shape": [1], "features": [{"name": "x"}]})
    with stage_run(store, "promote") as run:
        yield run


def _promote(run: Run, content: str, passed: bool) -> str:
    model_id = run.log_model(SPEC, Path("model"), {"content_sha256": content})
    tags = {"verdict": "passed" if passed else "refused"}
    return register(run.client, NAME, model_id, content, tags, passed).version


def _champion(run: Run) -> str | None:
    version = run.client.get_registered_model(NAME).aliases.get(CHAMPION)
    return None if version is None else str(version)


def test_only_who_passed_is_champion(run: Run) -> None:
    refused = _promote(run, "a", passed=False)
    assert _champion(run) is None
    passed = _promote(run, "b", passed=True)
    assert _champion(run) == passed
    _promote(run, "c", passed=False)
    assert _champion(run) == passed, "a refused candidate does not touch the champion"
    verdicts = {v.version: v.tags["verdict"] for v in run.client.search_model_versions("")}
    assert verdicts[int(refused)] == "refused"
    assert verdicts[int(passed)] == "passed"
    assert len(verdicts) == 3


def test_the_same_content_is_the_same_version(run: Run) -> None:
    first = _promote(run, "a", passed=False)
    assert _promote(run, "a", passed=True) == first
    assert _champion(run) == first
    assert len(run.client.search_model_versions("")) == 1


def test_a_champion_that_no_longer_passes_loses_the_alias(run: Run) -> None:
    version = _promote(run, "a", passed=True)
    assert _champion(run) == version
    assert _promote(run, "a", passed=False) == version
    assert _champion(run) is None


def test_the_version_belongs_to_its_logged_model(run: Run) -> None:
    version = _promote(run, "a", passed=True)
    found = run.client.get_model_version(NAME, version)
    model = run.client.get_logged_model(found.source.removeprefix("models:/"))
    assert "mlflow.modelVersions" in model.tags
    assert model.source_run_id == run.run_id
    files = {path.name for path in Path(model.artifact_location).rglob("*")}
    assert {"student.h5", "inputs.json", "student.py"} <= files
