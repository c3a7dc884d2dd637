"""Where the weights of a population lie."""

import itertools

import numpy as np

from l1distill.search.layout import Layout

SIZES = [(3, 2, 1), (3, 4, 2)]


def test_what_is_packed_is_filled_up_and_comes_back() -> None:
    rng = np.random.default_rng(0)
    candidates = [
        [
            (rng.normal(size=(a, b)).astype(np.float32), rng.normal(size=b).astype(np.float32))
            for a, b in itertools.pairwise(sizes)
        ]
        for sizes in SIZES
    ]
    layout = Layout((3, 4, 2))
    flat = layout.packed(candidates)
    assert flat.shape == (2, layout.numbers) == (2, 3 * 4 + 4 + 4 * 2 + 2)
    for given, own in zip(layout.unpacked(flat, SIZES), candidates, strict=True):
        for pair, wanted in zip(given, own, strict=True):
            for part, expected in zip(pair, wanted, strict=True):
                np.testing.assert_array_equal(part, expected)
    first, last = layout.kernels(flat)
    assert (first.shape, last.shape) == ((2, 3, 4), (2, 4, 2))
    assert np.count_nonzero(flat[0]) == 3 * 2 + 2 + 2 + 1, "the rest is zero"


def test_a_graph_cuts_it_at_the_same_places() -> None:
    import tensorflow as tf

    from l1distill.search.graph import Weights

    layout = Layout((3, 4, 2))
    flat = np.arange(2.0 * layout.numbers, dtype=np.float32).reshape(2, -1)
    cut = Weights.of(tf.constant(flat), [tf.constant(width) for width in layout.widths])
    for (kernel, bias), ours, our_bias in zip(layout.layers(flat), *cut, strict=True):
        np.testing.assert_array_equal(ours, kernel)
        np.testing.assert_array_equal(our_bias[:, 0], bias)
    np.testing.assert_array_equal(cut.flat(), flat)
