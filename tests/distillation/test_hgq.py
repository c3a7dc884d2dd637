"""A student that learns its bits: what it costs falls, it resumes, and firmware computes it."""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from l1distill.core.errors import ConfigError
from l1distill.distillation import hgq
from l1distill.distillation.hgq import check_hgq, train_hgq
from l1distill.distillation.settings import DistillationSettings
from l1distill.distillation.student import Examples
from l1distill.firmware.network.layers import QuantizeElements
from l1distill.firmware.network.network import evaluate
from l1distill.firmware.readers.qkeras import from_qkeras
from l1distill.models import hgq_student, keras_files
from l1distill.models.hgq_student import HgqSettings
from l1distill.models.mlp import StudentSettings
from l1distill.models.students import quantize_inputs
from l1distill.search.problem import Problem
from l1distill.stages import search_hgq
from l1distill.stages.search_hgq import Walk, check_hgq_search
from l1distill.training.settings import TrainingSettings
from tests.settings import conf

EXPONENTS = (4, 4, 2, 4, 4, 2)
SETTINGS = HgqSettings(
    layers=[4],
    beta=1e-2,
    input_bits=8,
    training=TrainingSettings(epochs=6, batch_size=100, learning_rate=0.1, patience=6),
)


class _KilledError(Exception):
    pass


@pytest.fixture(scope="module")
def examples() -> Examples:
    """Six inputs, of which two say nothing."""
    rng = np.random.default_rng(0)
    x = rng.normal(0.0, 3.0, (400, 6)).astype(np.float32)
    return Examples(features=x, targets=np.abs(x[:, :1]) * 0.3 - x[:, 1:2] * 0.2)


def _train(
    examples: Examples, checkpoint: Path, on_epoch: Callable[..., None], on_snapshot: Any = None
) -> Any:
    return train_hgq(
        examples,
        examples,
        SETTINGS,
        DistillationSettings(),
        input_exponents=EXPONENTS,
        seed=3,
        on_epoch=on_epoch,
        checkpoint=checkpoint,
        on_snapshot=on_snapshot,
    )


def test_bits_are_learned_and_firmware_computes_them(
    examples: Examples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One student: killed, resumed and without snapshots it is the same; firmware computes it."""
    taken: list[tuple[int, float, Any]] = []
    whole = _train(
        examples, tmp_path / "whole.npz", lambda *_: None, lambda *told: taken.append(told)
    )
    assert [epochs for epochs, _, _ in taken] == list(range(1, SETTINGS.frozen_from + 1))
    prices = [price for _, price, _ in taken]
    np.testing.assert_allclose(np.diff(np.log(prices)), np.log(prices[1] / prices[0]), rtol=1e-3)
    assert prices[-1] == pytest.approx(SETTINGS.beta, rel=1e-4)
    assert whole.history.validation_loss[-1] < whole.history.validation_loss[0]

    def kill(epoch: int, _losses: Any) -> None:
        if epoch == SETTINGS.frozen_from:  # behind the state of either phase
            raise _KilledError

    with pytest.raises(_KilledError):
        _train(examples, tmp_path / "killed.npz", kill)
    resumed = _train(examples, tmp_path / "killed.npz", lambda *_: None)
    assert resumed.history == whole.history
    for ours, theirs in zip(resumed.model.get_weights(), whole.model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)

    keras_files.save(whole.model, tmp_path / "student.h5")
    model = keras_files.load(tmp_path / "student.h5")
    rng = np.random.default_rng(1)
    beyond = rng.normal(0.0, 20.0, (500, 6)).astype(np.float32)
    answers = model.predict(beyond, verbose=0)
    np.testing.assert_array_equal(answers, whole.predict(beyond))
    network = from_qkeras(model)
    typed = [layer for layer in network.layers if isinstance(layer, QuantizeElements)]
    assert len({one.bits for layer in typed for one in layer.types}) > 1, "widths of their own"
    on_grid = quantize_inputs(model).predict(beyond, verbose=0)
    np.testing.assert_array_equal(evaluate(network, on_grid), answers)
    assert whole.metrics()["bit_operations"] < 800, "from about 990 that it begins with"
    assert np.abs(answers).max() < 64, "what lies beyond a port is clipped, not wrapped"
    _walk(examples, tmp_path / "walk.npz", taken, whole, monkeypatch)


def _walk(
    examples: Examples, file: Path, taken: Any, whole: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A walk has a row of each snapshot, keeps them, and judges finalists at their price."""
    asked: list[HgqSettings] = []

    def trained(*given: Any, on_snapshot: Any, **_: Any) -> Any:
        asked.append(given[2])
        for told in taken if on_snapshot is not None else ():
            on_snapshot(*told)
        return whole

    monkeypatch.setattr(search_hgq, "train_hgq", trained)
    settings: Any = SimpleNamespace(
        student=SETTINGS,
        search=SimpleNamespace(candidates=2, finalists=5),
        distillation=DistillationSettings(),
        compression=hgq.PruningSettings(sparsity=0.0),
        seed=3,
    )
    context: Any = SimpleNamespace(epochs=lambda *_, **__: nullcontext(lambda *_: None))
    problem = Problem(
        train=examples,
        validation=examples,
        samples={"all": (examples.features, examples.targets)},
        exponents=EXPONENTS,
    )
    walk = Walk(settings, problem, file)
    walk.go(context)
    assert list(walk.rows) == [2, 4], "two of four, evenly, and the last"
    row = walk.rows[4]
    answers = taken[3][2].predict(examples.features, verbose=0)
    assert row["loss"] == pytest.approx(np.mean((answers - examples.targets) ** 2), rel=1e-5)
    assert row["mse_to_teacher/all"] == pytest.approx(row["loss"], rel=1e-5)
    assert row["lut_estimate"] > 0
    assert set(walk.finalists()) == set(walk.front())
    walk.finalist(context, 2, 7)
    assert [one.beta for one in asked] == [SETTINGS.beta, walk.rows[2]["beta"]]
    taken.clear()
    again = Walk(settings, problem, file)
    assert again.rows == walk.rows, "an interrupted walk goes on with what it has"


def test_a_search_for_learned_bits_needs_a_student_with_them() -> None:
    settings: Any = SimpleNamespace(student=StudentSettings(), promote=False)
    with pytest.raises(ConfigError, match=r"strategy=hgq: .* set student=hgq"):
        check_hgq_search(settings)
    settings = SimpleNamespace(student=HgqSettings(), promote=True)
    with pytest.raises(ConfigError, match=r"promote=true: .* l1distill pipeline student=hgq"):
        check_hgq_search(settings)


def test_what_it_cannot_learn_from_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    none = hgq.PruningSettings(sparsity=0.0)
    check_hgq(DistillationSettings(), none)
    for settings, pruning, says in (
        ({"scheme": "self"}, none, r"distillation.scheme=self: student=hgq learns"),
        ({"response": {"answer": "decision"}}, none, r"response.answer=decision: student=hgq"),
        ({"response": {"high_from": 0.9}}, none, r"response.high_from=0.9: student=hgq learns"),
        ({"pt_cap_gev": 5}, none, r"distillation.pt_cap_gev=5: student=hgq learns"),
        ({"feature": {"weight": 0.5}}, none, r"distillation.feature.weight=0.5: student=hgq"),
        ({}, hgq.PruningSettings(), r"compression.method=pruning: .* set compression=none"),
    ):
        with pytest.raises(ConfigError, match=says):
            check_hgq(DistillationSettings.model_validate(settings), pruning)
    several = {"beta": 1.0, "response": {"high_from": 0.95}}  # all are to be changed at once
    with pytest.raises(ConfigError, match=r"take .*high_from=null distillation.beta=0, or student"):
        check_hgq(DistillationSettings.model_validate(several), none)
    monkeypatch.setattr(hgq_student, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"student=hgq: HGQ is not installed; pip install"):
        check_hgq(DistillationSettings(), none)


def test_bits_do_not_become_cheaper() -> None:
    with pytest.raises(ValueError, match=r"beta_start=1: bits become dearer .* beta=0.0001"):
        HgqSettings(beta_start=1.0, beta=1e-4)


def test_the_schedule_is_that_of_the_configuration() -> None:
    settings = HgqSettings.model_validate(conf("student/hgq"))
    assert settings.frozen_from == 42
    assert settings.model_copy(update={"rising": 0.999}).frozen_from == 59
