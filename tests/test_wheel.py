"""The built wheel in an empty environment, in a folder that is no checkout."""

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.settings import ROOT


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel, which finds all other packages where the tests do."""
    folder = tmp_path_factory.mktemp("wheel")
    _run(
        sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder),
        cwd=ROOT,
    )  # fmt: skip
    (wheel,) = folder.glob("*.whl")
    _run(sys.executable, "-m", "venv", "--without-pip", str(folder / "venv"), cwd=folder)
    _run(
        sys.executable, "-m", "uv", "pip", "install", "--quiet", "--offline", "--no-deps",
        "--python", str(folder / "venv/bin/python"), str(wheel),
        cwd=folder,
    )  # fmt: skip
    (installed,) = (folder / "venv/lib").glob("python*/site-packages")
    # a folder that is added so brings no .pth files of its own: the editable l1distill stays out
    (installed / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "venv/bin"


def _run(*command: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    apart = ("PYTHONPATH", "VIRTUAL_ENV")
    variables = {
        name: value
        for name, value in os.environ.items()
        if name not in apart and not name.startswith(("MLFLOW", "L1DISTILL"))
    }
    done = subprocess.run(
        command, cwd=cwd, env=variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def _write_model(path: Path) -> None:
    """Write a Keras model of one dense layer, (n, 3) to (n, 2), without importing Keras."""
    layers = [
        {"class_name": "InputLayer", "config": {"batch_input_shape": [None, 3], "name": "inputs"}},
        {"class_name": "Dense", "config": {"name": "dense", "units": 2, "activation": "relu"}},
    ]
    config = {"class_name": "Sequential", "config": {"name": "small", "layers": layers}}
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        weights = file.create_group("model_weights")
        weights.attrs["layer_names"] = [b"dense"]
        dense = weights.create_group("dense")
        dense.attrs["weight_names"] = [b"dense/kernel:0", b"dense/bias:0"]
        dense["dense/kernel:0"] = np.array([[0.5, -1.0], [0.25, 0.75], [-0.5, 1.0]], np.float32)
        dense["dense/bias:0"] = np.array([0.125, -0.25], np.float32)


def test_the_wheel_runs_where_there_is_no_checkout(environment: Path, tmp_path: Path) -> None:
    program, python = str(environment / "l1distill"), str(environment / "python")
    where = _run(python, "-c", "import l1distill; print(l1distill.__file__)", cwd=tmp_path)
    assert Path(where.stdout.strip()).is_relative_to(environment.parent)

    page = _run(program, "student", "--help", cwd=tmp_path).stdout
    assert "student.weight_bits" in page

    (tmp_path / "conf/student").mkdir(parents=True)
    (tmp_path / "conf/student/wide.yaml").write_text("defaults: [mlp, _self_]\nlayers: [99]\n")
    (tmp_path / "conf/experiment").mkdir()
    (tmp_path / "conf/experiment/few.yaml").write_text(
        "# @package _global_\n"
        "firmware: {verification_events: 50, adversarial_events: 10, rtl_simulator: none}\n"
    )
    page = _run(program, "student", "student=wide", "--help", cwd=tmp_path).stdout
    assert "mlp  pileup  trees  [wide]" in page
    assert "[99]" in page

    _write_model(tmp_path / "small.h5")
    _run(program, "synthesize", "model=small.h5", "output=out", "experiment=few", cwd=tmp_path)
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())
    assert metrics["firmware/verified_events"] == 60
    assert metrics["firmware/mismatches"] == 0
    assert (tmp_path / "out/bundle.tar.gz").is_file()
