import os
import re
import subprocess
import sys
from pathlib import Path

from l1distill.artifacts.record import Record
from l1distill.core.workspace import file_hashes, file_sha256, write_json
from l1distill.firmware.files import BUNDLE, OUTPUT_CODES
from tests.firmware.emulators import repack


def verify(folder: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Runs the command where nothing is but a bundle, and TensorFlow and MLflow cannot be had."""
    missing = folder / "missing"
    missing.mkdir(exist_ok=True)
    for name in ("tensorflow", "qkeras", "hls4ml", "mlflow", "h5py"):
        (missing / f"{name}.py").write_text(f"raise ImportError('{name} is not to be needed')\n")
    paths = [str(missing), *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.run(
        [sys.executable, "-m", "l1distill", "verify", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_good_bundle_is_status_0(bundle: Path, tmp_path: Path) -> None:
    done = verify(tmp_path, BUNDLE, "--sha256", file_sha256(bundle))
    assert (done.returncode, done.stderr) == (0, "")
    first, manifest, archive, emulator, vectors = done.stdout.splitlines()
    assert first == f"{BUNDLE}: SHA-256 {file_sha256(bundle)}"
    assert re.fullmatch("manifest: SHA-256 [0-9a-f]{64}", manifest)
    assert archive == "archive:  7 files, each as its manifest says"
    assert emulator.startswith("emulator: built with ")
    assert vectors == "vectors:  50 events of 4 inputs and 2 outputs: all equal"
    assert {path.name for path in tmp_path.iterdir()} == {BUNDLE, "missing"}  # no store, no output


def refused(status: int, folder: Path, *arguments: str, **environment: str) -> str:
    done = verify(folder, *arguments, **environment)
    assert (done.returncode, done.stdout) == (status, "")
    (line,) = done.stderr.splitlines()
    return line


def test_a_missing_tool_is_one_line_and_status_1(bundle: Path, tmp_path: Path) -> None:
    assert "make: is not on the PATH; install it" in refused(1, tmp_path, ".", PATH=str(tmp_path))
    assert "CXX=nothing is not on the PATH" in refused(1, tmp_path, BUNDLE, CXX="nothing")


def test_a_wrong_argument_is_one_line_and_status_2(tmp_path: Path) -> None:
    assert "--time-limit 0: must be more than 0" in refused(2, tmp_path, ".", "--time-limit", "0")
    assert "see l1distill verify --help" in refused(2, tmp_path)


def test_a_bad_bundle_is_one_line_and_status_2(bundle: Path, tmp_path: Path) -> None:
    def other_outputs(work: Path) -> None:
        lines = (work / OUTPUT_CODES).read_text().splitlines()
        (work / OUTPUT_CODES).write_text("\n".join([*lines[:-1], "31 31"]) + "\n")

    repack(bundle, other_outputs, tmp_path / "work")
    line = refused(2, tmp_path, BUNDLE)
    assert f"not as its MANIFEST says: {OUTPUT_CODES} is changed" in line
    repack(bundle, lambda _: None, tmp_path / "work", honest=True)
    (tmp_path / "again").mkdir()
    repack(bundle, other_outputs, tmp_path / "again", honest=True)
    assert "outputs: event 49, output " in refused(2, tmp_path, BUNDLE)


def test_the_folder_of_a_stage_is_checked_beside_its_bundle(bundle: Path, tmp_path: Path) -> None:
    """With what the stage writes for itself, which the bundle does not hold."""
    folder = tmp_path / "firmware"
    folder.mkdir()
    subprocess.run(["tar", "-xzf", bundle, "-C", folder], check=True)
    bundle.rename(folder / BUNDLE)
    write_json(folder / "metrics.json", {"firmware/lut": 7.0})
    record = Record(
        stage="synthesize",
        parameters={},
        inputs={},
        dataset="none",
        dataset_md5="",
        files=file_hashes(folder),
        artifacts=[],
    )
    record.write(folder)
    done = verify(tmp_path, "firmware")
    assert (done.returncode, done.stderr) == (0, "")
    assert "folder:   7 files in firmware, each as the manifest says\n" in done.stdout
    write_json(folder / "metrics.json", {"firmware/lut": 6.0})
    assert "metrics.json: not what synthesize wrote" in refused(2, tmp_path, "firmware")
    logic = folder / "emulator/logic.h"
    logic.write_text(logic.read_text().replace("ADD", "SUBTRACT", 1))
    assert "emulator/logic.h is changed" in refused(2, tmp_path, "firmware")
