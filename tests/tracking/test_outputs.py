"""A stage's run from its folder alone, as in a fresh clone with an empty store."""

from pathlib import Path

import pytest

from l1distill.artifacts.record import METRICS, Record
from l1distill.core.errors import DataError
from l1distill.core.workspace import file_sha256, write_json
from l1distill.tracking.outputs import run_of
from l1distill.tracking.store import Store


def _output(folder: Path) -> Path:
    folder.mkdir()
    (folder / "teacher.h5").write_bytes(b"weights")
    write_json(folder / METRICS, {"auc/a_4l": 0.9})
    Record(
        stage="teacher",
        parameters={"teacher.latent": 8},
        inputs={},
        dataset="anomaly",
        dataset_md5="d41d8cd98f00b204e9800998ecf8427e",
        files={METRICS: file_sha256(folder / METRICS)},
        artifacts=["*.h5"],
    ).write(folder)
    return folder


def test_a_missing_run_is_logged_again_once(store: Store, tmp_path: Path) -> None:
    folder = _output(tmp_path / "teacher")
    run_id = run_of(store.client, folder)
    run = store.client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.data.tags["imported"] == "true"
    assert run.data.tags["dataset_md5"] == "d41d8cd98f00b204e9800998ecf8427e"
    assert run.data.params == {"teacher.latent": "8"}
    assert run.data.metrics == {"auc/a_4l": 0.9}
    assert [entry.dataset.name for entry in run.inputs.dataset_inputs] == ["anomaly"]
    assert [file.path for file in store.client.list_artifacts(run_id)] == ["teacher.h5"]
    assert run_of(store.client, folder) == run_id


def test_other_content_is_another_run(store: Store, tmp_path: Path) -> None:
    folder = _output(tmp_path / "teacher")
    first = run_of(store.client, folder)
    (folder / "teacher.h5").write_bytes(b"other weights")
    assert run_of(store.client, folder) != first


@pytest.mark.parametrize("damage", ["missing", "truncated", "foreign"])
def test_a_folder_without_a_record_is_named(store: Store, tmp_path: Path, damage: str) -> None:
    folder = _output(tmp_path / "teacher")
    record = folder / "record.json"
    if damage == "missing":
        record.unlink()
    elif damage == "truncated":
        record.write_text(record.read_text()[:40])
    else:
        record.write_text('{"stage": "teacher", "wrong": 1}')
    with pytest.raises(DataError, match=r"record\.json"):
        run_of(store.client, folder)


@pytest.mark.parametrize("content", [None, "{}"])
def test_a_changed_output_is_not_imported(
    store: Store, tmp_path: Path, content: str | None
) -> None:
    folder = _output(tmp_path / "teacher")
    if content is None:
        (folder / METRICS).unlink()
    else:
        (folder / METRICS).write_text(content)
    with pytest.raises(DataError, match=r"metrics\.json: .*; run teacher again"):
        run_of(store.client, folder)
    assert store.client.search_runs([store.experiment_id]) == []
