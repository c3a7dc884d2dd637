"""Prove what a store holds before it is promoted: downloaded again, loaded afresh, replayed."""

import math
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from l1distill.artifacts.folders import INPUTS
from l1distill.core.errors import DataError, first_line
from l1distill.core.workspace import file_sha256
from l1distill.data.encoding import InputEncoding
from l1distill.firmware.bundle.replay import verify_bundle
from l1distill.firmware.emulator.emulator import Emulator
from l1distill.firmware.files import BUNDLE, EMULATOR
from l1distill.firmware.process import Job, TimeLimit
from l1distill.registry.evidence import Evidence
from l1distill.tracking.registry import ModelRegistry

TIME_LIMIT = TimeLimit(300.0, "the time limit of the proof of a model")
EVENTS = 64
"""How many random items the loaded model has to answer as the emulator does."""
_LOAD = """\
import sys
import mlflow
import numpy
model = mlflow.pyfunc.load_model(sys.argv[1])
numpy.save(sys.argv[3], model.predict(numpy.load(sys.argv[2])))
"""


def prove(uri: str, files: Mapping[str, str]) -> None:
    """Prove that a logged trigger is what was judged, and works.

    It is downloaded again; its files are held against their hashes; it is loaded in a process of
    its own, with the code that was logged with it, and must give the emulator's numbers; the
    emulator of its bundle is built and replayed.

    Args:
        uri: of the model, ``models:/<model id>`` or ``models:/<name>/<version>``.
        files: SHA-256 of each of its files, by name; empty where they were not recorded.

    Raises:
        DataError: it is not there, or not what it should be; the line says what.
        ToolError: make or a compiler is missing, or it took too long.
    """
    import mlflow
    from mlflow.exceptions import MlflowException

    with tempfile.TemporaryDirectory(prefix="l1distill-proof-") as name:
        folder = Path(name)
        try:
            model = Path(mlflow.artifacts.download_artifacts(uri, dst_path=str(folder / "model")))
        except (MlflowException, OSError, ValueError) as error:
            raise DataError(
                f"{uri}: has no artifact that can be fetched ({first_line(error)})"
            ) from error
        found = {path.name: path for path in (model / "artifacts").rglob("*") if path.is_file()}
        for file, sha256 in files.items():
            if file not in found:
                raise DataError(f"{uri}: the store has no {file}; promote the student again")
            if file_sha256(found[file]) != sha256:
                raise DataError(f"{uri}: {file} in the store is not what was logged")
        _check_answers(uri, model, found, folder)
        verify_bundle(_one(uri, found, BUNDLE), TIME_LIMIT)


def prove_version(registry: ModelRegistry, version: str, evidence: Evidence) -> None:
    """Prove a registered version; see :func:`prove`.

    Raises:
        DataError: its run is not FINISHED, or the version is not what was judged.
        ToolError: make or a compiler is missing, or it took too long.
    """
    if not registry.is_finished(version):
        raise DataError(f"{registry.name} version {version}: its run is not FINISHED")
    prove(f"models:/{registry.name}/{version}", evidence.files)


def _one(uri: str, found: Mapping[str, Path], name: str) -> Path:
    if name not in found:
        raise DataError(f"{uri}: the store has no {name}; promote the student again")
    return found[name]


def _check_answers(uri: str, model: Path, found: Mapping[str, Path], folder: Path) -> None:
    """Load the model in a process of its own, and compare its answers with the emulator's."""
    encoding = InputEncoding.read(_one(uri, found, INPUTS))
    emulator = Emulator.load(_one(uri, found, EMULATOR))
    scales = np.ones(math.prod(encoding.shape))
    scales[encoding.positions or slice(None)] = [one.scale for one in encoding.features]
    items = np.random.default_rng(0).exponential(size=(EVENTS, len(scales))) * scales
    items = items.reshape(EVENTS, *encoding.shape)
    np.save(folder / "items.npy", items)
    command = [
        *(sys.executable, "-c", _LOAD),
        *(str(model), str(folder / "items.npy"), str(folder / "answers.npy")),
    ]
    with Job("load", command, folder, TIME_LIMIT) as job:
        status = job.end()
        said = job.output.strip().splitlines()
    if status != 0:
        raise DataError(f"{uri}: cannot be loaded ({said[-1] if said else f'status {status}'})")
    expected = emulator.predict(encoding.apply(items)).astype(np.float32)
    answers = np.load(folder / "answers.npy").reshape(expected.shape)
    if not np.array_equal(answers, expected):
        different = int((answers != expected).any(axis=1).sum())
        raise DataError(f"{uri}: loaded afresh, {different} of {EVENTS} answers are others")
