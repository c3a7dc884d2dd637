"""An output of the pipeline, read from DVC's cache."""

import hashlib
import json
from pathlib import Path

import pytest

from l1distill.artifacts.dvc_cache import CACHE, checked_out
from l1distill.core.errors import DataError
from l1distill.core.workspace import folder_sha256

FILES = {"a.txt": b"one", "deep/b.txt": b"two"}


def _store(content: bytes, suffix: str = "") -> str:
    md5 = hashlib.md5(content).hexdigest() + suffix
    path = CACHE / md5[:2] / md5[2:]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return md5


@pytest.fixture
def output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as DVC leaves it after ``dvc gc`` of the workspace: locked and cached alone."""
    monkeypatch.chdir(tmp_path)
    listing = [{"md5": _store(content), "relpath": name} for name, content in FILES.items()]
    md5 = _store(json.dumps(listing).encode(), ".dir")
    Path("dvc.lock").write_text(
        "schema: '2.0'\nstages:\n  student:\n    cmd: x\n    outs:\n"
        f"    - path: models/student\n      hash: md5\n      md5: {md5}\n"
    )
    return Path("models/student")


def test_what_is_not_checked_out_is_read_from_the_cache(output: Path, tmp_path: Path) -> None:
    same = tmp_path / "same"
    for name, content in FILES.items():
        (same / name).parent.mkdir(parents=True, exist_ok=True)
        (same / name).write_bytes(content)
    with checked_out(output) as folder:
        assert folder != output
        assert folder_sha256(folder) == folder_sha256(same)
    assert not folder.exists()
    same.rename(tmp_path / "models-student")
    with checked_out(tmp_path / "models-student") as folder:
        assert folder == tmp_path / "models-student"


@pytest.mark.fault(
    stage="every stage",
    fault="corrupted file in DVC's cache",
    outcome="where `lineage` reads from the cache, one line that names the file",
)
@pytest.mark.parametrize("damage", ["changed", "missing"])
def test_a_damaged_cache_is_named(output: Path, damage: str) -> None:
    md5 = hashlib.md5(b"two").hexdigest()
    path = CACHE / md5[:2] / md5[2:]
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(b"tow")
    with pytest.raises(DataError, match=rf"{md5[2:]}: .*dvc fetch"), checked_out(output):
        pytest.fail("it is damaged")


def test_what_is_nowhere_is_named(output: Path) -> None:
    with (
        pytest.raises(DataError, match="models/teacher: no such folder"),
        checked_out(Path("models/teacher")),
    ):
        pytest.fail("it is nowhere")
    Path("dvc.lock").unlink()
    with pytest.raises(DataError, match="no such folder, and"), checked_out(output):
        pytest.fail("it is nowhere")
