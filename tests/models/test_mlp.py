import warnings
from pathlib import Path

import numpy as np
import pytest

from l1distill.core.errors import DataError
from l1distill.models import keras_files
from l1distill.models.mlp import StudentSettings, build_student
from l1distill.models.students import input_limits, quantize_inputs
from l1distill.training.determinism import make_deterministic
from tests.settings import conf


@pytest.fixture(scope="module")
def settings() -> StudentSettings:
    return StudentSettings.model_validate(conf("student/mlp"))


@pytest.fixture(scope="module")
def student(settings: StudentSettings):  # type: ignore[no-untyped-def]
    make_deterministic(1)
    return build_student(settings, features=57)


def test_the_seed_decides_weights_that_are_drawn_twice(tmp_path: Path) -> None:
    """Two layers of one shape, so coarse that QKeras widens what it draws, which is no fault."""
    coarse = StudentSettings(layers=[64, 64], weight_bits=2)

    def drawn(seed: int) -> list[np.ndarray]:
        make_deterministic(seed)
        model = build_student(coarse, features=64)
        keras_files.save(model, tmp_path / "coarse.h5")
        keras_files.load(tmp_path / "coarse.h5")
        return [layer.kernel.numpy() for layer in model.layers if hasattr(layer, "kernel")]

    with warnings.catch_warnings():
        warnings.filterwarnings("error", ".*initializer")
        first, again, other = drawn(1), drawn(1), drawn(2)
    assert first[0].std() > 1.2 * np.sqrt(2 / 64), "widened beyond he_normal"
    for one, same in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, same)
    for one, unlike in ((first[0], first[1]), (first[0], other[0]), (first[2], other[2])):
        assert abs(np.corrcoef(one.ravel(), unlike.ravel())[0, 1]) < 0.5
    assert not np.allclose(first[0], first[1])


def _on_grid(values: np.ndarray, bits: int, integer: int) -> bool:
    step = 2.0 ** (integer + 1 - bits)
    scaled = values.astype(np.float64) / step
    limit = 2 ** (bits - 1)
    return bool(
        (scaled == np.round(scaled)).all() and scaled.min() >= -limit and scaled.max() < limit
    )


def test_inputs_and_outputs_are_on_their_grids(student, settings: StudentSettings) -> None:  # type: ignore[no-untyped-def]
    x = np.random.default_rng(0).normal(0.0, 3.0, (500, 57)).astype(np.float32)
    inputs = quantize_inputs(student).predict(x, verbose=0)
    assert _on_grid(inputs, settings.input_bits, settings.input_integer)
    assert np.abs(inputs - x)[np.abs(x) < 7.9].max() <= 2.0 ** -(settings.input_bits - 3)
    outputs = student.predict(x, verbose=0)
    assert outputs.shape == (500, 1)
    assert _on_grid(outputs, settings.output_bits, settings.output_integer)


def test_inputs_have_ranges_of_their_own(settings: StudentSettings) -> None:
    """Each is cut where :func:`input_limits` says, and in steps of its range."""
    exponents = [8, 3, -2]
    student = build_student(settings, 3, input_exponents=exponents)
    x = np.random.default_rng(0).uniform(-1.5, 1.5, (500, 3)).astype(np.float32)
    x *= 2.0 ** np.array(exponents, np.float32)
    inputs = quantize_inputs(student).predict(x, verbose=0).astype(np.float64)
    low, high = input_limits(settings, 3, exponents)
    np.testing.assert_array_equal(inputs.min(axis=0), low)
    np.testing.assert_array_equal(inputs.max(axis=0), high)
    steps = np.exp2(np.array(exponents) + 1.0 - settings.input_bits)
    np.testing.assert_array_equal(inputs / steps, np.round(inputs / steps))
    np.testing.assert_allclose(inputs, np.clip(x, low, high), atol=steps.max() / 2, rtol=0)
    assert (np.abs(inputs - np.clip(x, low, high)) <= steps / 2).all()


def test_weights_are_on_their_grid(student, settings: StudentSettings) -> None:  # type: ignore[no-untyped-def]
    for name in ("dense_1", "dense_2", "score"):
        layer = student.get_layer(name)
        kernel = layer.kernel_quantizer_internal(layer.kernel).numpy()
        assert _on_grid(kernel, settings.weight_bits, settings.weight_integer)


def test_parameter_count(student) -> None:  # type: ignore[no-untyped-def]
    assert student.count_params() == (57 * 32 + 32) + (32 * 16 + 16) + (16 + 1)


def test_a_student_may_answer_with_several_numbers(settings: StudentSettings) -> None:
    student = build_student(settings, features=12, outputs=3)
    assert student.count_params() == (12 * 32 + 32) + (32 * 16 + 16) + (16 * 3 + 3)
    outputs = student.predict(np.zeros((5, 12), np.float32), verbose=0)
    assert outputs.shape == (5, 3)


def test_equal_networks_are_equal_files(student, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    keras_files.save(student, tmp_path / "a.h5")
    again = keras_files.load(tmp_path / "a.h5")
    x = np.random.default_rng(0).normal(size=(50, 57)).astype(np.float32)
    np.testing.assert_array_equal(again.predict(x, verbose=0), student.predict(x, verbose=0))
    keras_files.save(student, tmp_path / "b.h5")
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_a_damaged_network_is_named(tmp_path: Path) -> None:
    path = tmp_path / "student.h5"
    with pytest.raises(DataError, match=r"student\.h5: no such network"):
        keras_files.load(path)
    path.write_bytes(b"not HDF5")
    with pytest.raises(DataError, match=r"student\.h5: not a Keras network"):
        keras_files.load(path)
