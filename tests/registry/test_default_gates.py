"""The shipped thresholds refuse what they are there to refuse, each for its own reason."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pytest

from l1distill.distillation.student import distance_to_teacher
from l1distill.distillation.targets import TargetTransform
from l1distill.evaluation.fidelity import follow_teacher
from l1distill.evaluation.roc import separations, to_metrics
from l1distill.firmware.devices import Device
from l1distill.firmware.results.report import SynthesisReport, with_percentages
from l1distill.firmware.settings import FirmwareSettings
from l1distill.firmware.synthesis import synthesize
from l1distill.firmware.verification.comparison import compare
from l1distill.models.mlp import StudentSettings, build_student
from l1distill.models.students import quantize_inputs
from l1distill.registry.gates import Gate
from l1distill.registry.judgment import judge
from l1distill.training.determinism import make_deterministic
from l1distill.training.fit import Fit, fit, ignore_epoch, supervised
from l1distill.training.settings import TrainingSettings
from tests.settings import conf

SIGNALS = ("lq_btau", "a_4l", "h0_tautau", "hch_taunu")
GATES = {name: Gate.model_validate(gate) for name, gate in conf("gates/anomaly")["gates"].items()}


class World(NamedTuple):
    """Inputs (n, 57), and what a teacher thinks of them: the size of five of the inputs."""

    background: np.ndarray
    signals: dict[str, np.ndarray]
    target: TargetTransform


def _teacher(inputs: np.ndarray) -> np.ndarray:
    return np.abs(inputs[:, :5]).sum(axis=1)


@pytest.fixture(scope="module")
def world() -> World:
    rng = np.random.default_rng(0)
    background = rng.normal(0.0, 0.5, (3000, 57)).astype(np.float32)
    signals = {name: rng.normal(0.0, 1.2, (400, 57)).astype(np.float32) for name in SIGNALS}
    return World(background, signals, TargetTransform.fit_log(_teacher(background)))


def _student(layers: list[int]):  # type: ignore[no-untyped-def]
    make_deterministic(3)
    few = {"layers": layers, "weight_bits": 4, "input_bits": 8}  # bits, for the sake of yosys
    settings = StudentSettings.model_validate({**conf("student/mlp"), **few})
    return build_student(settings, features=57)


def _train(student, world: World) -> None:  # type: ignore[no-untyped-def]
    sample = (world.background, world.target(_teacher(world.background)))
    training = TrainingSettings(epochs=40, batch_size=64, learning_rate=0.003, patience=40)
    loss = supervised(student, "mse")
    fit(Fit(model=student, loss=loss, settings=training, seed=3), sample, sample, ignore_epoch)


def _physics(student, world: World) -> dict[str, float]:  # type: ignore[no-untyped-def]
    def score(inputs: np.ndarray) -> np.ndarray:
        return student.predict(inputs, verbose=0, batch_size=4096)

    samples = {"background": world.background, **world.signals}
    answers = {name: score(inputs) for name, inputs in samples.items()}
    truth = {name: world.target(_teacher(inputs)) for name, inputs in samples.items()}
    scores, targets = ({n: x[:, 0] for n, x in of.items()} for of in (answers, truth))
    signals = {name: scores[name] for name in world.signals}
    return {
        **to_metrics(separations(scores["background"], signals)),
        **distance_to_teacher(answers, truth),
        **follow_teacher(scores, targets, "background").metrics,
    }


def _device(**changes: object) -> Device:
    return Device.model_validate({**conf("firmware/device/vu9p"), **changes})


@pytest.fixture(scope="module")
def trained(world: World):  # type: ignore[no-untyped-def]
    student = _student([12])
    _train(student, world)
    return student


@pytest.fixture(scope="module")
def figures(trained, world: World, tmp_path_factory: pytest.TempPathFactory) -> SynthesisReport:  # type: ignore[no-untyped-def]
    """The figures of a student that was trained and synthesized for real."""
    settings = FirmwareSettings.model_validate(
        {**conf("firmware/default"), "device": _device(), "rtl_simulator": "none"}
    )
    vectors = quantize_inputs(trained).predict(world.background[:2048], verbose=0)
    return synthesize(trained, vectors, settings).report


@pytest.fixture(scope="module")
def good(trained, world: World, figures: SynthesisReport) -> dict[str, float]:  # type: ignore[no-untyped-def]
    verified = {"firmware/verified_events": 11_000.0, "saturated_max": 0.0}
    return {**_physics(trained, world), **figures.to_metrics(), **verified}


def _refused(metrics: Mapping[str, float]) -> dict[str, str]:
    return {v.gate: v.reason for v in judge(GATES, metrics) if not v.passed}


def test_a_trained_student_with_verified_firmware_passes(good: dict[str, float]) -> None:
    assert _refused(good) == {}


def test_an_untrained_student_is_refused(good: dict[str, float], world: World) -> None:
    refused = _refused({**good, **_physics(_student([12]), world)})
    assert "fidelity" in refused
    assert {"lq_btau", "a_4l", "hch_taunu"} <= set(refused)
    assert {f"agreement_{name}" for name in SIGNALS} <= set(refused)
    assert not {"lut", "latency", "mismatches"} & set(refused)


def test_a_single_mismatch_is_refused(good: dict[str, float], world: World) -> None:
    reference = world.target(_teacher(world.background))
    candidate = reference.copy()
    candidate[1234] += 2.0**-9
    mismatches = float(compare(reference, candidate).mismatches)
    refused = _refused({**good, "firmware/mismatches": mismatches})
    assert refused == {"mismatches": "1 is above 0"}


def test_a_student_too_large_for_its_device_is_refused(
    good: dict[str, float], figures: SynthesisReport
) -> None:
    counted = [figure for figure in figures.entries if not figure.name.endswith("_percent")]
    small = with_percentages(counted, _device(name="small", luts=40_000))
    refused = _refused({**good, **{figure.name: figure.value for figure in small}})
    assert set(refused) == {"lut"}
    assert refused["lut"].endswith("is above 5")


def test_an_unfinished_verification_is_refused(good: dict[str, float]) -> None:
    assert set(_refused({**good, "firmware/verified_events": 100.0})) == {"verification"}


@pytest.mark.fault(
    stage="promote",
    fault="NaN metric",
    outcome="each gate of each shipped profile fails",
)
@pytest.mark.parametrize("metric", sorted({gate.metric for gate in GATES.values()}))
def test_each_metric_must_have_been_measured(good: dict[str, float], metric: str) -> None:
    without = {name: value for name, value in good.items() if name != metric}
    assert list(_refused(without).values()) == [f"{metric} was not measured"]
    assert len(_refused({**good, metric: float("nan")})) == 1
