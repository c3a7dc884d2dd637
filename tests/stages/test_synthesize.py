"""Synthesis of models that come from elsewhere, through the command line."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mlflow
import numpy as np
import pytest

from l1distill.artifacts.runs import LoggedRun
from l1distill.cli import main
from l1distill.compression.calibration import Calibration
from l1distill.core.errors import ConfigError, DataError
from l1distill.core.workspace import file_sha256, folder_sha256
from l1distill.firmware.bundle.content import verify_manifest
from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.network.layers import Quantize
from l1distill.firmware.network.network import connect
from l1distill.firmware.network.serialization import save
from l1distill.firmware.results.report import SynthesisReport
from l1distill.firmware.settings import PrecisionSettings
from l1distill.models.untrained import ShapeSettings
from l1distill.stages import synthesize_model
from l1distill.stages.synthesize_source import ModelSource, ShapeSource
from l1distill.tasks.anomaly.reconstruction import ObjectsErrorHead
from l1distill.tasks.anomaly.standardization import Standardization
from l1distill.tracking.runs import PARENT_RUN
from tests.settings import ROOT

SMALL = ("firmware.verification_events=300", "firmware.adversarial_events=50")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf").symlink_to(ROOT / "conf")
    shutil.copy(template, tmp_path / "mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    yield tmp_path
    mlflow.set_tracking_uri(None)
    os.environ.pop(PARENT_RUN, None)  # a sweep in which a job failed lets go of it at its exit


@pytest.fixture
def model() -> Any:
    from tests.firmware.networks import chain, dense, grid, relu

    return chain((4,), [grid(4), dense(4, 3), relu(4)], [dense(4, 1), dense(4, 2)])


def synthesize(*overrides: str) -> int:
    return main(["synthesize", "firmware.rtl_simulator=none", *SMALL, *overrides])


def test_a_model_in_mlflow_becomes_firmware(model: Any, folder: Path) -> None:
    with mlflow.start_run(experiment_id="0"):  # whatever a test before this one has set
        mlflow.tensorflow.log_model(
            model,
            name="net",
            registered_model_name="jets",
            pip_requirements=["tensorflow"],  # or MLflow loads it again to find them
        )
    mlflow.MlflowClient().set_registered_model_alias("jets", "best", "1")
    np.save("events.npy", np.random.default_rng(1).normal(size=(100, 4)))
    arguments = ("model=models:/jets@best", "device=vu13p", "output=out", "events=events.npy")
    assert synthesize(*arguments) == 0
    figures = SynthesisReport.load(folder / "out/synthesis.json")
    metrics = json.loads((folder / "out/metrics.json").read_text())
    assert figures.device.name == "VU13P"
    assert metrics["firmware/mismatches"] == 0
    assert metrics["firmware/verified_events"] > 300
    assert "rtl/src/l1distill.v" in verify_manifest(folder / "out/bundle.tar.gz")
    record = json.loads((folder / "out/record.json").read_text())
    assert set(record["inputs"]) == {"model", "events"}
    assert record["dataset"] == "events.npy"
    (run,) = mlflow.search_runs(
        experiment_names=["l1distill"], output_format="list", filter_string="tags.stage != ''"
    )
    assert run.info.status == "FINISHED"
    assert run.data.params["model"] == "models:/jets@best"
    assert run.data.metrics["firmware/mismatches"] == 0
    assert run.data.tags["output_sha256"] == folder_sha256(folder / "out")


def test_a_score_and_its_threshold_stand_behind_a_model(model: Any, folder: Path) -> None:
    from l1distill.firmware.network.network import evaluate
    from l1distill.firmware.network.serialization import load
    from tests.firmware.networks import full_range, outputs

    model.save("vae.h5")
    arguments = ("model=vae.h5", "device=vu9p", "output=out")
    score = ("score.kind=sum_mu2", "score.latent=2", "score.threshold=0.25")
    assert synthesize(*arguments, *score) == 0
    metrics = json.loads((folder / "out/metrics.json").read_text())
    assert metrics["firmware/mismatches"] == 0
    card = (folder / "out/MODEL_CARD.md").read_text()
    assert "1 of type `ufixed<1,1,TRN,SAT>`" in card
    assert "sum of the squares of the means of the latent space is at least 0.25" in card
    network = load(folder / "out/network.json")
    x = full_range(network)
    expected = (outputs(model, x)[:, :2] ** 2).sum(axis=1) >= 0.25
    assert 0 < expected.mean() < 1
    assert np.array_equal(evaluate(network, x)[:, 0], expected)
    record = json.loads((folder / "out/record.json").read_text())
    assert record["parameters"]["score.threshold"] == 0.25


def test_constants_beside_a_network_say_what_its_error_is(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here, that they come along; what comes of them: ``firmware/functions/test_score_head``."""
    given = {}

    def stop(*arguments: Any, **options: Any) -> None:
        given.update(options)
        raise ConfigError("enough")

    monkeypatch.setattr(synthesize_model, "synthesize", stop)
    kind = FixedPoint(signed=True, integer=2, fraction=3)
    network = connect(57, kind, [Quantize("same", type=kind)])
    constants = Standardization(pt_mean=[1.0] * 19, pt_std=[2.0] * 19)
    (folder / "quantized").mkdir()
    save(network, folder / "quantized/network.json")
    for model in ("model=quantized", "model=quantized/network.json"):
        assert synthesize(model, "output=out", "score.kind=mse") == 2
        assert given["error_head"] is None
        constants.write(folder / "quantized/standardization.json")
        assert synthesize(model, "output=out", "score.kind=mse") == 2
        assert given["error_head"] == ObjectsErrorHead(standardization=constants)
        (folder / "quantized/standardization.json").unlink()


def test_types_that_a_model_leaves_open_need_no_option(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Here, what is said and handed on; the numbers: ``compression/test_assumed_types``."""
    from qkeras import QDense
    from tensorflow.keras import layers

    from tests.firmware.networks import chain, weights

    given: dict[str, Any] = {}

    def stop(model: Any, *_: Any, **options: Any) -> None:
        given.update(options, model=model)
        raise ConfigError("enough")

    monkeypatch.setattr(synthesize_model, "synthesize", stop)
    body = [QDense(5, kernel_quantizer=weights(6)), layers.Activation("relu")]
    chain((4,), [*body, layers.Dense(3, activation="softmax")]).save("qkeras_tutorial.h5")
    assert synthesize("model=qkeras_tutorial.h5", "output=out") == 2
    assert given["model"] is given["model_network"]
    assert given["model_network"].input_type.hls == "fixed<16,6,RND_CONV,SAT>"
    said = capsys.readouterr().err
    assert "synthesize: Inputs between -4 and 4 were assumed" in said
    card = given["description"]
    assert file_sha256(folder / "qkeras_tutorial.h5") in card.summary
    assert "`qkeras_tutorial.h5`" in card.summary
    assert "softmax of layer dense" in card.limitations[0]
    assert "outputs differ by" in card.differences[0]
    assert synthesize("model=qkeras_tutorial.h5", "output=out", "precision.input=fixed<9,4>") == 2
    assert given["model_network"].input_type.hls == "fixed<9,4,RND_CONV,SAT>"


def test_published_rows_come_from_the_runs_of_the_sweep(model: Any, folder: Path) -> None:
    """One row of two works out; the other fails in its own words, after it has said its cost."""
    from l1distill.firmware.network.fixed_point import FixedPoint
    from l1distill.firmware.network.layers import Dense
    from l1distill.firmware.readers.qkeras import from_qkeras
    from l1distill.tasks.anomaly.firmware_tables import Commands, gather, tables
    from l1distill.tasks.anomaly.study import Study
    from l1distill.tracking.lookup import find_runs

    fine = FixedPoint(signed=True, integer=1, fraction=30)
    networks = {}
    for name in ("dnn_vae", "cnn_vae"):
        network = from_qkeras(model)
        at = next(n for n, layer in enumerate(network.layers) if isinstance(layer, Dense))
        first = network.layers[at]
        assert isinstance(first, Dense)
        if name == "cnn_vae":  # more bits than alkaid holds
            first = replace(first, bias=first.bias + fine.step, bias_type=fine)
        layers = (*network.layers[:at], first, *network.layers[at + 1 :])
        quantized = folder / f"outputs/govorkova/{name}_pruning/teacher_ptq_8/quantized"
        quantized.mkdir(parents=True)
        save(replace(network, layers=layers), quantized / "network.json")
        tags = {"output_sha256": folder_sha256(quantized)}
        networks[name, "ptq", 8] = LoggedRun(run_id=name, parameters={}, metrics={}, tags=tags)
    sweep = ("experiment=published_firmware", "published=cnn_vae_vu9p,dnn_vae_vu9p")
    assert synthesize(*sweep, "score.latent=1") != 0

    client = mlflow.MlflowClient()
    finished, failed = (
        find_runs(client, "synthesize", "published_firmware", None, status)
        for status in ("FINISHED", "FAILED")
    )
    written = SynthesisReport.load(
        folder / "outputs/published/dnn_vae_vu9p/firmware/synthesis.json"
    )
    found = gather(
        Study({}, {}, networks),
        finished,
        failed,
        lambda run: SynthesisReport.load(
            Path(client.download_artifacts(run.run_id, "synthesis.json"))
        ),
        Commands("l1distill quantize", "l1distill synthesize"),
    )
    three, *_, absolute = tables(found)
    lut = f"{written['firmware/lut'].value:,.0f}"
    assert [row.cells[0].ours for row in absolute.rows[2:4]] == [lut, "failed"]
    assert all(row.cells[2].ours not in ("0", "not run") for row in absolute.rows[2:4])
    (note,) = (note for note in three.notes if note.startswith("CNN VAE PTQ 8 bits"))
    assert "failed: layer " in note
    assert "more than the 24 bits" in note


def test_what_cannot_be_synthesised_is_refused_by_name(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tensorflow.keras import layers

    from tests.firmware.networks import chain, dense, grid

    middle = [layers.Softmax(name="last"), grid(4), dense(4, 3)]
    chain((4,), [grid(4), dense(4, 3), *middle]).save("softmax.h5")
    for overrides, words in (
        (("model=softmax.h5", "output=out"), ("layer last (Softmax): ",)),
        (("model=x.h5", "output=out", "precision.input=int8"), ("precision.input", "fixed<16,6")),
        (("model=none.h5", "output=out"), ("model=none.h5: no such file",)),
        (("model=softmax.h5",), ("needs an output= of its own",)),
        (("weights=w.h5", "output=out"), ("weights= goes with a model=",)),
        (("shape=qdistillnet",), ("shape= needs an output= of its own",)),
        (("shape=qdistillnet", "model=x.h5", "output=out"), ("leave model= out",)),
        (("shape=qdistillnet", "weights=x.h5", "output=out"), ("weights= goes with a model=",)),
        (("shape=qdistillnet", "shape.sparsity=1", "output=out"), ("shape.sparsity",)),
        (("model=models:/none@best", "output=out"), ("models:/none@best: cannot be fetched",)),
        (("model=runs:/none/model", "output=out"), ("runs:/none/model: cannot be fetched",)),
        (("model=x.h5", "device=vu14p", "output=out"), ("vu14p", "vu13p")),
    ):
        assert synthesize(*overrides) == 2
        line = [text for text in capsys.readouterr().err.splitlines() if "l1distill:" in text][-1]
        for word in words:
            assert word in line
    assert not (folder / "out").exists()


MISSING = """
import sys
from l1distill.cli import main
for overrides in sys.stdin:
    assert main(["synthesize", "output=out", *overrides.split()]) == 2
assert not {"mlflow", "tensorflow", "keras"} & set(sys.modules)
"""


def test_missing_files_are_refused_before_anything_is_imported_or_opened(folder: Path) -> None:
    (folder / "net.json").write_text("{}")
    (folder / "mlflow.db").unlink()
    cases = {
        "model=nope.h5": "model=nope.h5: no such file or folder",
        "model=net.json": "model=net.json: is an architecture alone; name its weights= as well",
        "model=net.json weights=nope.h5": "weights=nope.h5: no such file",
        "model=net.json weights=net.json events=nope.npz": "events=nope.npz: no such file",
        "model=net.json weights=net.json precision.calibration=nope.npz": (
            "precision.calibration=nope.npz: no such file"
        ),
        "shape=qdistillnet events=nope.npz": "events=nope.npz: no such file",
        "": "data.folder=data/anomaly: no such folder; make it with l1distill generate "
        "output=data/anomaly, or name another",
    }
    done = subprocess.run(
        [sys.executable, "-c", MISSING],
        input="".join(f"{overrides}\n" for overrides in cases),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = [line for line in done.stderr.splitlines() if line.startswith("l1distill: ")]
    assert said == [f"l1distill: {message}" for message in cases.values()]
    assert not (folder / "mlflow.db").exists()  # no run


def test_ranges_are_chosen_on_calibration_events_or_those_to_verify_on_or_random_ones(
    folder: Path,
) -> None:
    one, other = np.arange(8.0).reshape(2, 4), np.arange(12.0).reshape(3, 4)
    np.save(folder / "one.npy", one)
    np.save(folder / "other.npy", other)
    for calibration, events, expected in (
        ("one.npy", "other.npy", one),
        (None, "other.npy", other),
    ):
        precision = PrecisionSettings(calibration=calibration and Path(calibration))
        settings: Any = SimpleNamespace(precision=precision, events=Path(events), seed=1)
        read = synthesize_model._calibration_reader(settings)
        assert read is not None
        assert np.array_equal(read(4), expected)
    settings = SimpleNamespace(precision=PrecisionSettings(), events=None)
    assert synthesize_model._calibration_reader(settings) is None
    random = Calibration(4, None, input_range=3.0, seed=1).events()
    assert random.shape[1] == 4
    assert 2.9 < np.abs(random).max() <= 3.0


def test_a_model_that_no_reader_foresees_is_one_line() -> None:
    words = r"model=odd\.h5: cannot be read \(AttributeError: 'Odd' .*\); --debug shows where"
    with (
        pytest.raises(DataError, match=words),
        synthesize_model._unforeseen_as_one_line(ModelSource(model="odd.h5")),
    ):
        raise AttributeError("'Odd' object has no attribute 'kernel'")
    shape = ShapeSource(shape=ShapeSettings())  # of ours: an error in it is a defect
    with pytest.raises(AttributeError), synthesize_model._unforeseen_as_one_line(shape):
        raise AttributeError("'Odd' object has no attribute 'kernel'")


def test_every_device_has_its_short_name() -> None:
    short, long = (
        (ROOT / f"conf/{group}").glob("*.yaml") for group in ("device", "firmware/device")
    )
    assert {path.name for path in short} == {path.name for path in long}
