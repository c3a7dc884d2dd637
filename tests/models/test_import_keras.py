import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from l1distill.core.errors import ConfigError, DataError
from l1distill.models.import_keras import is_quantized, load_keras_model


@pytest.fixture(scope="module")
def quantized() -> Any:
    from tests.firmware.networks import chain, dense, grid, norm, relu

    return chain((5,), [grid(6), norm(6), dense(6, 4), relu(6), dense(6, 2), grid(6)])


@pytest.fixture(scope="module")
def plain() -> Any:
    from tensorflow import keras

    from tests.firmware.networks import fill

    layers = [keras.layers.Dense(4, "relu"), keras.layers.BatchNormalization()]
    return fill(keras.Sequential([keras.Input((5,)), *layers, keras.layers.Dense(2)]))


def as_hdf5(model: Any, folder: Path) -> tuple[Path, Path | None]:
    model.save(folder / "model.h5", include_optimizer=False)
    return folder / "model.h5", None


def as_saved_model(model: Any, folder: Path) -> tuple[Path, Path | None]:
    model.save(folder / "saved")
    return folder / "saved", None


def as_json(model: Any, folder: Path) -> tuple[Path, Path | None]:
    (folder / "model.json").write_text(model.to_json())
    model.save_weights(folder / "model.weights.h5")
    return folder / "model.json", folder / "model.weights.h5"


def as_json_and_checkpoint(model: Any, folder: Path) -> tuple[Path, Path | None]:
    (folder / "model.json").write_text(model.to_json())
    model.save_weights(folder / "checkpoint_1")
    return folder / "model.json", folder / "checkpoint_1"


@pytest.mark.parametrize("fixture", ["quantized", "plain"])
@pytest.mark.parametrize("save", [as_hdf5, as_saved_model, as_json, as_json_and_checkpoint])
def test_every_form_gives_the_same_model(
    fixture: str,
    save: Callable[[Any, Path], tuple[Path, Path | None]],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    model = request.getfixturevalue(fixture)
    loaded = load_keras_model(*save(model, tmp_path))
    x = np.random.default_rng(1).normal(size=(50, 5)).astype(np.float32)
    assert np.ptp(model(x)) > 0
    assert np.array_equal(loaded(x), model(x))
    assert is_quantized(loaded) == (fixture == "quantized")


def test_a_quantized_model_within_a_model_is_quantized(quantized: Any) -> None:
    from tensorflow import keras

    assert is_quantized(keras.Sequential([keras.Input((5,)), quantized]))


@pytest.mark.parametrize(
    ("name", "content", "weights", "words"),
    [
        ("none.h5", None, None, "no such file"),
        ("broken.h5", "no HDF5", None, "is no HDF5 file and no archive"),
        ("model.onnx", "something", None, "is no HDF5 file and no archive"),
        ("model.keras", "zip", None, "is no HDF5 file and no archive"),
        ("folder", "", None, "holds no saved_model.pb"),
        ("model.json", "{}", None, "name its weights="),
        ("model.json", "{}", "w.h5", "is not what model.to_json"),
        ("model.json", "{", "w.h5", "cannot be read as a Keras model"),
        ("model.json", json.dumps({"class_name": "No", "config": {}}), "w.h5", "class No, which"),
        ("model.h5", "x", "w.h5", "leave weights= out"),
    ],
)
def test_what_is_no_model_is_one_line(
    name: str, content: str | None, weights: str | None, words: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    if content:
        path.write_text(content)
    elif content == "":
        path.mkdir()
    if weights:
        (tmp_path / weights).write_text("no weights")
    error = ConfigError if "weights=" in words else DataError
    with pytest.raises(error, match=words) as refusal:
        load_keras_model(path, None if weights is None else tmp_path / weights)
    assert "\n" not in str(refusal.value)
    assert str(path) in str(refusal.value) or "w.h5" in str(refusal.value)


@pytest.mark.fault(
    stage="synthesize",
    fault="truncated model",
    outcome="one line that names the file, before a run is opened",
)
@pytest.mark.parametrize("missing", [1, 1000, 5000])
def test_a_truncated_model_is_one_line(plain: Any, tmp_path: Path, missing: int) -> None:
    path, _ = as_hdf5(plain, tmp_path)
    path.write_bytes(path.read_bytes()[:-missing])
    with pytest.raises(DataError, match=r"^model=\S*model\.h5: ") as refusal:
        load_keras_model(path, None)
    assert "\n" not in str(refusal.value)


def test_missing_or_other_weights_are_refused(quantized: Any, plain: Any, tmp_path: Path) -> None:
    path, _ = as_json(quantized, tmp_path)
    with pytest.raises(DataError, match=r"weights=.*none\.h5: no such file"):
        load_keras_model(path, tmp_path / "none.h5")
    for name in ("other.weights.h5", "other.h5", "other"):
        plain.save_weights(tmp_path / name)
        with pytest.raises(DataError, match=rf"^weights=\S*/{name}") as refusal:
            load_keras_model(path, tmp_path / name)
        assert "\n" not in str(refusal.value)


def test_outputs_of_a_dictionary_come_by_their_names(plain: Any, tmp_path: Path) -> None:
    from tensorflow import keras

    hidden = plain.output
    ends = {"b": plain.layers[0].output, "a": hidden}
    keras.Model({"x": plain.input}, ends).save(tmp_path / "model.h5", include_optimizer=False)
    loaded = load_keras_model(tmp_path / "model.h5")
    x = np.random.default_rng(1).normal(size=(20, 5)).astype(np.float32)
    first, second = loaded.predict(x, verbose=0)
    assert np.array_equal(first, plain.predict(x, verbose=0))
    assert second.shape == (20, 4)


def test_wrappers_of_pruning_are_taken_off(tmp_path: Path) -> None:
    from tensorflow.keras import layers
    from tensorflow_model_optimization.sparsity.keras import prune_low_magnitude

    from tests.firmware.networks import chain, dense, grid, relu

    x = np.random.default_rng(1).normal(size=(20, 5)).astype(np.float32)
    of_qkeras = chain((5,), [grid(6), dense(6, 4), relu(6), dense(6, 2)])
    in_floating_point = chain((5,), [layers.Dense(4, "relu"), layers.Dense(2)])
    for model in (of_qkeras, in_floating_point):
        pruned = prune_low_magnitude(model)
        for save in (as_hdf5, as_json):
            loaded = load_keras_model(*save(pruned, tmp_path))
            names = {type(layer).__name__ for layer in loaded.layers}
            assert "PruneLowMagnitude" not in names
            expected = pruned.predict(x, verbose=0)
            assert np.ptp(expected) > 0
            assert np.array_equal(loaded.predict(x, verbose=0), expected)


def subclassed(folder: Path) -> Path:
    from tensorflow import keras

    class Own(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.dense = keras.layers.Dense(2)

        def call(self, inputs: Any) -> Any:
            return self.dense(inputs)

    model = Own()
    model(np.zeros((1, 4), np.float32))
    model.save(folder / "own")
    return folder / "own"


def weights_alone(folder: Path) -> Path:
    from tensorflow import keras

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.save_weights(folder / "model.h5")
    return folder / "model.h5"


def of_another_class(folder: Path) -> Path:
    from tensorflow import keras

    class Own(keras.layers.Layer):  # type: ignore[misc]
        def call(self, inputs: Any) -> Any:
            return inputs

    keras.Sequential([keras.Input((4,)), Own()]).save(folder / "model.h5")
    return folder / "model.h5"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (subclassed, "a subclassed keras.Model"),
        (weights_alone, "holds weights alone"),
        (of_another_class, "class Own, which neither"),
    ],
)
def test_what_is_no_graph_of_known_layers_is_one_line(
    make: Callable[[Path], Path], words: str, tmp_path: Path
) -> None:
    path = make(tmp_path)
    with pytest.raises(DataError, match=words) as refusal:
        load_keras_model(path)
    assert str(refusal.value).startswith(f"model={path}: ")
    assert "\n" not in str(refusal.value)
