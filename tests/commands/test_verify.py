import os
import subprocess
import sys
from pathlib import Path

from l1distill.core.workspace import file_sha256
from l1distill.firmware.files import BUNDLE, OUTPUT_CODES
from tests.firmware.emulators import repack


def verify(folder: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Runs the command where nothing is but a bundle, and TensorFlow and MLflow cannot be had."""
    missing = folder / "missing"
    missing.mkdir(exist_ok=True)
    for name in ("tensorflow", "qkeras", "hls4ml", "mlflow", "h5py"):
        (missing / f"{name}.py").write_text(f"raise ImportError('{name} is not to be needed')\n")
    return subprocess.run(
        [sys.executable, "-m", "l1distill", "verify", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(missing), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_good_bundle_is_status_0(bundle: Path, tmp_path: Path) -> None:
    done = verify(tmp_path, BUNDLE, "--sha256", file_sha256(bundle))
    assert (done.returncode, done.stderr) == (0, "")
    first, manifest, emulator, vectors = done.stdout.splitlines()
    assert first == f"{BUNDLE}: SHA-256 {file_sha256(bundle)}"
    assert manifest.startswith("manifest: 7 files")
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
