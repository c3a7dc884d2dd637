"""What a stage reads is what the one before it wrote, byte for byte."""

import json
from pathlib import Path

import pytest

from l1distill.artifacts.record import RECORD, Record
from l1distill.core.errors import DataError
from l1distill.core.workspace import file_hashes


@pytest.fixture
def written(tmp_path: Path) -> Record:
    """The record of a stage that wrote two files into the test's folder."""
    (tmp_path / "roc").mkdir()
    (tmp_path / "student.h5").write_bytes(b"weights")
    (tmp_path / "roc" / "a_4l.csv").write_text("fpr,tpr\n0.0,0.5\n")
    record = Record(
        stage="student",
        parameters={"student.layers": [32, 16], "student.training.rate": 0.001, "μ": None},
        inputs={"teacher": "0" * 64},
        dataset="anomaly",
        dataset_md5="d41d8cd98f00b204e9800998ecf8427e",
        files=file_hashes(tmp_path),
        artifacts=["*.h5"],
    )
    record.write(tmp_path)
    return record


def _refusal(folder: Path) -> str:
    with pytest.raises(DataError) as refusal:
        Record.read(folder)
    (line,) = str(refusal.value).splitlines()
    return line


def test_a_record_reads_as_it_was_written(written: Record, tmp_path: Path) -> None:
    assert set(written.files) == {"student.h5", "roc/a_4l.csv"}
    assert Record.read(tmp_path) == written


@pytest.mark.fault(
    stage="every stage",
    fault="truncated, changed or missing input",
    outcome="one line that names the file and the ways out: models, metrics and data alike",
)
@pytest.mark.parametrize("name", ["student.h5", "roc/a_4l.csv"])
def test_a_changed_or_missing_file_is_named_with_the_ways_out(
    written: Record, tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    kept = path.read_bytes()
    for damaged in (kept[:-1], kept + b"\0", bytes([kept[0] ^ 1]) + kept[1:], b""):
        path.write_bytes(damaged)
        assert _refusal(tmp_path) == (
            f"{path}: not what student wrote (truncated or changed); run student again"
        )
    path.unlink()
    assert _refusal(tmp_path) == f"{path}: missing; run student again"
    path.write_bytes(kept)
    assert Record.read(tmp_path) == written


def test_dvc_is_named_where_it_knows_the_file(written: Record, tmp_path: Path) -> None:
    path = tmp_path / "student.h5"
    path.write_bytes(b"")
    lock = "stages:\n  student:\n    outs:\n    - path: {}\n      md5: 0.dir\n"
    (tmp_path.parent / "dvc.lock").write_text(lock.format("elsewhere"))
    assert "run dvc" not in _refusal(tmp_path)
    (tmp_path.parent / "dvc.lock").write_text(lock.format(tmp_path.name))
    assert _refusal(tmp_path).endswith("; remove it and run dvc pull, or run student again")
    path.unlink()
    assert _refusal(tmp_path) == f"{path}: missing; run dvc pull, or run student again"
    (tmp_path.parent / "dvc.lock").unlink()
    assert "run dvc" not in _refusal(tmp_path)
    tmp_path.with_name(f"{tmp_path.name}.dvc").touch()
    assert "run dvc pull" in _refusal(tmp_path)


def test_no_flipped_bit_of_the_record_itself_goes_unnoticed(
    written: Record, tmp_path: Path
) -> None:
    path = tmp_path / RECORD
    kept = path.read_bytes()
    for at in range(len(kept)):
        path.write_bytes(kept[:at] + bytes([kept[at] ^ 1]) + kept[at + 1 :])
        assert _refusal(tmp_path).startswith(f"{path}: not what the stage wrote"), at


@pytest.mark.parametrize("content", ["", "{", "{}", "[]", "null", "\x00", '{"sha256": null}'])
def test_a_record_that_is_none_is_named(written: Record, tmp_path: Path, content: str) -> None:
    (tmp_path / RECORD).write_text(content)
    assert _refusal(tmp_path) == (
        f"{tmp_path / RECORD}: not what the stage wrote (truncated or changed); run the stage again"
    )


def test_a_missing_record_and_a_missing_folder_are_named(written: Record, tmp_path: Path) -> None:
    (tmp_path / RECORD).unlink()
    assert _refusal(tmp_path).startswith(f"{tmp_path / RECORD}: missing; run the ")
    assert _refusal(tmp_path / "nowhere").startswith(f"{tmp_path / 'nowhere'}: no such folder; run")


def test_a_record_of_another_version_is_refused(written: Record, tmp_path: Path) -> None:
    """Whole, but with a field that this version does not know."""

    class Later(Record):
        weather: str = "fine"

    Later.model_validate(written.model_dump()).write(tmp_path)
    assert json.loads((tmp_path / RECORD).read_text())["weather"] == "fine"
    assert "another version" in _refusal(tmp_path)


def test_a_section_reads_flat_or_nested(written: Record) -> None:
    record = written.model_copy(
        update={
            "parameters": {
                "student.layers": [32, 16],
                "student.training.rate": 0.001,
                "student.training.schedule.warm": None,
                "students": 3,
                "seed": 1,
            }
        }
    )
    assert record.section("seed", "students") == {"seed": 1, "students": 3}
    assert record.nested("student") == {
        "layers": [32, 16],
        "training": {"rate": 0.001, "schedule": {"warm": None}},
    }
    assert record.nested("teacher") == {}
