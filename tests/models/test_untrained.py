"""Networks without training, held against what Bal et al. say of theirs."""

import numpy as np
import pytest

from l1distill.compression.pruning import measure_sparsity
from l1distill.models.untrained import ShapeSettings, build_untrained
from tests.settings import conf


@pytest.fixture(scope="module")
def shape() -> ShapeSettings:
    return ShapeSettings.model_validate(conf("shape/qdistillnet"))


def test_the_published_size_is_that_of_the_layers(shape: ShapeSettings) -> None:
    # Table 2 counts the network before it was made smaller: 128 and 64 nodes, and a batch
    # normalization of the 64 in front of the last layer, which trains two numbers for each.
    whole = build_untrained(shape.model_copy(update={"layers": [128, 64]}), seed=1)
    assert f"{(whole.count_params() + 2 * 64) / 1e3:.0f} k" in ("10 k", "11 k")
    assert abs(270e3 / (whole.count_params() + 2 * 64) - 27) < 2, "the teacher has 27 times as many"
    products = sum(layer.kernel.shape.num_elements() for layer in whole.layers if layer.weights)
    biases = whole.count_params() - products
    operations = 2 * products + biases + 2 * 64
    assert round(operations / 1e6, 4) == 0.0209


def test_the_smaller_one_has_the_shape_of_section_4(shape: ShapeSettings) -> None:
    model = build_untrained(shape, seed=1)
    assert (model.input_shape, model.output_shape) == ((None, 16), (None, 1))
    kernels = [layer.kernel.shape for layer in model.layers if layer.weights]
    assert [tuple(kernel) for kernel in kernels] == [(16, 64), (64, 32), (32, 1)]
    # small weights that are left may still round to zero
    assert 0.75 <= measure_sparsity(model) < 0.8
    for layer in model.layers:
        if layer.weights:
            assert layer.kernel_quantizer_internal.bits == 8
            assert np.mean(layer.kernel.numpy() == 0.0) == 0.75
    x = np.random.default_rng(0).normal(0.0, 1.0, (500, 16))
    y = model.predict(x, verbose=0)
    assert y.min() >= 0
    assert y.max() <= 1
    assert y.std() > 0


def test_the_seed_is_the_network(shape: ShapeSettings) -> None:
    one, same, other = (build_untrained(shape, seed).get_weights() for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_pruning_leaves_a_weight_in_every_layer(shape: ShapeSettings) -> None:
    model = build_untrained(shape.model_copy(update={"layers": [4, 2]}), seed=0)
    left = [np.count_nonzero(layer.kernel) for layer in model.layers if layer.weights]
    assert left == [16, 2, 1]
