"""A teacher brought to fixed point in every way, as one sweep."""

import json
from pathlib import Path
from typing import NamedTuple

import mlflow
import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from l1distill.data.splits import Split
from l1distill.firmware.network.layers import Quantize
from l1distill.firmware.network.network import evaluate
from l1distill.firmware.network.serialization import load
from l1distill.tasks.anomaly.dataset import BACKGROUND, open_dataset
from tests.e2e.conftest import Project

CHOICES = {("ptq", "4"), ("ptq", "8"), ("qat", "4"), ("qat", "8")}
EPOCHS = "quantization.training.epochs=2"
ETA_LIMITS = np.repeat([0.0, 3.0, 2.1, 4.0], [1, 4, 4, 10])
"""MET, electrons, muons, jets; the eta of MET is not counted."""


class Sweep(NamedTuple):
    """What is left of it."""

    teacher: Path
    parent: mlflow.entities.Run
    children: dict[tuple[str, str], mlflow.entities.Run]
    """By method and bits."""


@pytest.fixture(scope="module")
def sweep(line: Project, tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    """Four versions of one pruned teacher."""
    teacher = tmp_path_factory.mktemp("quantize") / "teacher"
    line.l1distill(
        "teacher", "teacher=dnn_ae", "compression=pruning", "compression.begin_epoch=1",
        "compression.end_epoch=3", "teacher.training.epochs=5", "teacher.training.batch_size=64",
        f"output={teacher}",
    )  # fmt: skip
    line.l1distill(
        "quantize", "-m", "quantization=ptq,qat", "quantization.bits=4,8", EPOCHS,
        "quantization.verified=64", f"teacher_folder={teacher}",
    )  # fmt: skip
    client = line.client()
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    (parent,) = (
        run
        for run in client.search_runs(experiments, "tags.stage = 'quantize_sweep'")
        if str(teacher) in run.data.params["sweep"]
    )
    runs = client.search_runs(experiments, f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'")
    assert len(runs) == len(CHOICES)
    keys = ("quantization.method", "quantization.bits")
    return Sweep(
        teacher, parent, {tuple(run.data.params[key] for key in keys): run for run in runs}
    )


def _folder(line: Project, run: mlflow.entities.Run) -> Path:
    return line.folder / run.data.params["output"]


def test_it_is_one_parent_with_a_child_for_each_choice(line: Project, sweep: Sweep) -> None:
    assert sweep.parent.info.status == "FINISHED"
    assert set(sweep.children) == CHOICES
    (teacher,) = line.client().search_runs(
        [sweep.parent.info.experiment_id], f"params.output = '{sweep.teacher}'"
    )
    for run in sweep.children.values():
        assert run.info.status == "FINISHED"
        assert run.data.params["teacher.architecture"] == "dnn_ae"
        assert run.data.params["compression.sparsity"] == "0.5"
        assert run.data.tags["teacher_run"] == teacher.info.run_id
    assert len({_folder(line, run) for run in sweep.children.values()}) == len(CHOICES)


@pytest.mark.parametrize(("method", "bits"), sorted(CHOICES))
def test_figures_are_those_of_the_network(
    line: Project, sweep: Sweep, method: str, bits: str
) -> None:
    run = sweep.children[method, bits]
    folder = _folder(line, run)
    metrics = json.loads((folder / "metrics.json").read_text())
    assert {name: run.data.metrics[name] for name in metrics} == pytest.approx(metrics)
    assert metrics["mismatches"] == 0
    assert metrics["verified_events"] == 64
    assert metrics["bits"] == int(bits)

    written = json.loads((folder / "network.json").read_text())
    dense = [layer["kernel"] for layer in written["layers"] if layer["layer"] == "dense"]
    codes = np.concatenate([np.ravel(kernel) for kernel in dense])
    assert len(dense) == 6
    assert np.unique(codes).size <= 2 ** int(bits)
    assert metrics["sparsity"] == pytest.approx(np.mean(codes == 0))
    assert metrics["sparsity"] >= 0.49
    network = load(folder / "network.json")
    assert {layer.type.bits for layer in network.layers if isinstance(layer, Quantize)} == {
        int(bits)
    }

    dataset = open_dataset(line.folder / "data/anomaly")
    constants = json.loads((folder / "standardization.json").read_text())
    samples = [dataset.sample(BACKGROUND).part(Split.TEST)]
    samples += [dataset.sample(name).items.values for name in dataset.signals]
    background, *signals = (
        _squared_error(evaluate(network, objects.reshape(-1, 57)), objects, constants)
        for objects in samples
    )
    assert len(signals) == 4
    for name, signal in zip(dataset.signals, signals, strict=True):
        labels = [0] * len(background) + [1] * len(signal)
        auc = roc_auc_score(labels, np.concatenate([background, signal]))
        assert metrics[f"auc/{name}"] == pytest.approx(auc)


def _squared_error(
    reconstruction: NDArray[np.float64],
    objects: NDArray[np.float32],
    constants: dict[str, list[float]],
) -> NDArray[np.float64]:
    """The anomaly score of section IV, in numpy."""
    found = reconstruction.reshape(-1, 19, 3)
    pt = (objects[..., 0] - constants["pt_mean"]) / constants["pt_std"] - found[..., 0]
    eta = (objects[..., 1] - ETA_LIMITS * np.tanh(found[..., 1])) * (ETA_LIMITS > 0)
    phi = objects[..., 2] - np.pi * np.tanh(found[..., 2])
    errors = (pt**2 + eta**2 + phi**2) * (objects[..., 0] > 0)
    result: NDArray[np.float64] = errors.sum(axis=1) / 57
    return result


def test_training_moves_the_rounded_numbers(line: Project, sweep: Sweep) -> None:
    for bits in ("4", "8"):
        rounded, trained = (sweep.children[method, bits] for method in ("ptq", "qat"))
        texts = [(_folder(line, run) / "network.json").read_text() for run in (rounded, trained)]
        assert texts[0] != texts[1]
        client = line.client()
        assert len(client.get_metric_history(trained.info.run_id, "val_loss")) == 2
        assert client.get_metric_history(rounded.info.run_id, "val_loss") == []


def test_the_same_seed_gives_the_same_network(line: Project, sweep: Sweep, tmp_path: Path) -> None:
    output = tmp_path / "again"
    line.l1distill(
        "quantize", "quantization=qat", "quantization.bits=4", EPOCHS, "quantization.verified=0",
        f"teacher_folder={sweep.teacher}", f"output={output}",
    )  # fmt: skip
    before = _folder(line, sweep.children["qat", "4"]) / "network.json"
    assert (output / "network.json").read_bytes() == before.read_bytes()
    assert "mismatches" not in json.loads((output / "metrics.json").read_text())


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("quantization.bits=1", "quantization.bits=1: input should be greater than or equal to 2"),
        ("quantization.bits=17", "quantization.bits=17: input should be less than or equal to 16"),
        ("quantization.bit=4", "quantization.bit: no such key; did you mean quantization.bits?"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(line: Project, override: str, words: str) -> None:
    done = line.l1distill("quantize", override, check=False)
    assert done.returncode == 2
    (message,) = done.stderr.splitlines()
    assert words in message
