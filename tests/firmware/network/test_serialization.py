"""The file of a network: what is written comes back, and older files are read."""

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from l1distill.core.errors import DataError
from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.network.layers import (
    Add,
    Affine,
    Concatenate,
    Conv2D,
    DecisionTrees,
    Dense,
    Layer,
    Lookup,
    MaxPool2D,
    Multiply,
    Quantize,
    QuantizeElements,
    Reshape,
    Select,
    Square,
    Subtract,
    UpSample2D,
    ZeroPad2D,
    layer_classes,
)
from l1distill.firmware.network.network import Network, connect
from l1distill.firmware.network.serialization import load, save

FIXED = FixedPoint(signed=True, integer=1, fraction=2)
RNG = np.random.default_rng(0)


def _weights(*shape: int) -> Any:
    return FIXED.quantize(RNG.uniform(-2, 2, shape))


def _network() -> Network:
    """Every layer once, in branches."""
    kernel = _weights(2, 1, 1, 3)
    layers: list[tuple[Layer, tuple[int, ...]]] = [
        (Reshape("image", shape=(4, 2, 1)), (0,)),
        (ZeroPad2D("pad", margins=((1, 0), (0, 2))), (1,)),
        (
            Conv2D(
                "convolution",
                kernel=kernel,
                bias=_weights(3),
                kernel_type=FIXED,
                bias_type=FIXED,
                padding="same",
                strides=(2, 1),
            ),
            (2,),
        ),
        (Quantize("relu", type=replace(FIXED, signed=False), negative_slope=0.5), (3,)),
        (MaxPool2D("pool", size=(1, 2)), (4,)),
        (UpSample2D("repeat", size=(1, 2)), (5,)),
        (Affine.exact("norm", _weights(3), _weights(3)), (6,)),
        (Add("sum"), (6, 7)),
        (Subtract("difference"), (8, 6)),
        (Multiply("product"), (6, 9)),
        (Square("square"), (4,)),
        (Concatenate("joined", axis=2), (10, 11)),
        (Reshape("flat", shape=(72,)), (12,)),
        (Select("turned", indices=tuple(range(71, -1, -1)), shape=(72,)), (13,)),
        (Dense.exact("dense", _weights(72, 2)), (14,)),
        (Quantize("address", type=replace(FIXED, signed=False)), (15,)),
        (
            Lookup(
                "table",
                address_type=replace(FIXED, signed=False),
                table=_weights(8),
                table_type=FIXED,
            ),
            (16,),
        ),
        (
            DecisionTrees(
                "trees", nodes=((0, 71, 3), (5, 5, 0)), leaves=_weights(2, 4), leaves_type=FIXED
            ),
            (14,),
        ),
        (QuantizeElements("each", types=(FIXED, replace(FIXED, integer=0, rounding="RND"))), (15,)),
    ]
    return connect(
        8,
        replace(FIXED, overflow="SAT_SYM"),
        [layer for layer, _ in layers],
        (0, 1, -2, 0, 0, 3, 0, 0),
        tuple(sources for _, sources in layers),
    )


def test_every_field_of_every_layer_comes_back(tmp_path: Path) -> None:
    network = _network()
    assert {type(layer) for layer in network.layers} == {
        result for result in layer_classes() if result.__module__.startswith("l1distill.")
    }
    save(network, tmp_path / "network.json")
    again = load(tmp_path / "network.json")
    assert replace(again, layers=()) == replace(network, layers=())
    for layer, loaded in zip(network.layers, again.layers, strict=True):
        assert type(loaded) is type(layer)
        for field in fields(layer):
            value, other = getattr(layer, field.name), getattr(loaded, field.name)
            assert type(other) is type(value)
            assert np.array_equal(other, value) if isinstance(value, np.ndarray) else other == value
    save(again, tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "network.json").read_bytes()


def test_files_of_version_0_1_are_read(tmp_path: Path) -> None:
    """They call a quantizer by its British name."""
    path = tmp_path / "network.json"
    network = connect(2, FIXED, [Quantize("last", type=replace(FIXED, signed=False))])
    save(network, path)
    assert '"layer": "quantize"' in path.read_text()
    path.write_text(path.read_text().replace('"quantize"', '"quantise"'))
    (layer,) = load(path).layers
    assert isinstance(layer, Quantize)
    assert layer.type == replace(FIXED, signed=False)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": "l1distill-network-1"}, "format 'l1distill-network-1', not"),
        ({"layers": [{"layer": "unheard_of", "name": "x"}]}, "unheard_of"),
        ({"input_type": {"signed": True}}, "missing 2 required"),
        ({"layers": [{"layer": "dense", "name": "x"}]}, "missing 4 required"),
    ],
)
def test_another_file_is_refused_in_one_line(
    change: dict[str, Any], words: str, tmp_path: Path
) -> None:
    path = tmp_path / "network.json"
    save(connect(2, FIXED, [Square("last")]), path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(DataError, match=words) as refusal:
        load(path)
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_no_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.json: no such file"):
        load(tmp_path / "none.json")
