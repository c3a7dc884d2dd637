"""Every layer is known to every back end; a layer that is missing somewhere is named."""

import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from l1distill import compression, firmware
from l1distill.compression.qat_layers import keras_layers
from l1distill.core.errors import DataError
from l1distill.firmware.network.back_ends import BACK_ENDS, back_end
from l1distill.firmware.network.layers import Dense, Layer, Square, UnaryLayer, layer_classes
from l1distill.firmware.rtl.tracing import trace_layer


@pytest.fixture(scope="module", autouse=True)
def every_module() -> None:
    """Back ends register themselves when they are imported."""
    for package in (firmware, compression):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)


def missing(classes: list[type[Layer]]) -> Iterator[str]:
    for layer_class in classes:
        for name, knows in BACK_ENDS.items():
            if not knows(layer_class):
                yield f"{layer_class.__name__} is missing in: {name}"


def test_every_layer_is_in_every_back_end() -> None:
    classes = [result for result in layer_classes() if result.__module__.startswith("l1distill.")]
    assert {"Dense", "Conv2D", "Quantize", "Concatenate"} <= {result.__name__ for result in classes}
    assert list(missing(classes)) == []


def test_the_back_ends_are_those_that_there_are() -> None:
    assert set(BACK_ENDS) == {
        "evaluation and value ranges",
        "network file",
        "RTL",
        "hls4ml project",
        "cost estimate, layers",
        "cost estimate, used elements",
        "adversarial events",
        "post-training quantization, results",
        "post-training quantization, constants",
        "quantization-aware training, layers",
        "quantization-aware training, weights",
    }


def test_a_layer_that_is_made_up_is_missing_everywhere() -> None:
    class MadeUp(UnaryLayer):
        def apply(self, x: Any) -> Any:
            return x

    assert MadeUp in layer_classes()
    assert list(missing([MadeUp])) == [f"MadeUp is missing in: {name}" for name in BACK_ENDS]


def test_a_layer_that_derives_from_another_is_missing_as_well() -> None:
    """A base class' registration would compute something else without a word."""

    @dataclass(frozen=True, eq=False, kw_only=True)
    class Sparse(Dense):
        mask: float = 0.0

    assert {Dense, Sparse} <= set(layer_classes())
    names = [name for name in BACK_ENDS if name != "evaluation and value ranges"]
    assert list(missing([Sparse])) == [f"Sparse is missing in: {name}" for name in names]


def test_a_layer_that_is_not_registered_is_an_error_that_names_it() -> None:
    layer: Any = object()
    with pytest.raises(NotImplementedError, match="RTL: nothing is registered for object"):
        trace_layer(layer)


def test_a_back_end_keeps_its_name_and_its_words() -> None:
    assert trace_layer.__name__ == "trace_layer"
    assert "alkaid's variables" in (trace_layer.__doc__ or "")


def test_a_back_end_that_is_new_is_checked() -> None:
    @back_end("a test's own")
    def describe(layer: Layer) -> str:
        raise NotImplementedError

    @describe.register
    def _describe_square(layer: Square) -> str:
        return f"square {layer.name}"

    try:
        assert describe(Square("a")) == "square a"
        assert "Dense is missing in: a test's own" in missing([Dense])
        assert "Square is missing in: a test's own" not in missing([Square])
    finally:
        del BACK_ENDS["a test's own"]


def test_a_back_end_that_cannot_take_a_layer_says_why() -> None:
    with pytest.raises(DataError, match="layer score: squares have no layer in Keras"):
        keras_layers(Square("score"))
