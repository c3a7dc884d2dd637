"""How raw items become a student's features, whatever the items are."""

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from l1distill.core.errors import DataError
from l1distill.data.encoding import Feature, InputEncoding

SCALES = [0.25, 1.0, 16.0, 2.0**-7, 2.0**20, 3.0]
ENCODING = InputEncoding(
    shape=[2, 3], features=[Feature(name=f"number {n}", scale=s) for n, s in enumerate(SCALES)]
)


def test_a_range_is_a_power_of_two_of_scales() -> None:
    features = [
        Feature(name="x", scale=4.0, range=32.0),
        Feature(name="y"),
        Feature(name="z", scale=3.0, range=1.5, signed=False),
    ]
    encoding = InputEncoding(shape=[3], features=features)
    assert encoding.exponents(5) == (3, 5, -1)
    with pytest.raises(ValueError, match="event 0: z is -1; it must be finite and not negative"):
        encoding.check(np.array([[-1.0, -1.0, -1.0]]))
    with pytest.raises(ValidationError, match=r"x: a range of 12 is not its scale of 4 times a p"):
        Feature(name="x", scale=4.0, range=12.0)


def test_each_number_is_divided_by_its_scale_in_the_order_of_the_flattened_item() -> None:
    items = np.arange(1.0, 13.0).reshape(2, 2, 3)
    features = ENCODING.apply(items)
    assert (features.shape, features.dtype) == ((2, 6), np.float32)
    for item in range(2):
        for row in range(2):
            for column in range(3):
                expected = np.float32(items[item, row, column] / SCALES[3 * row + column])
                assert features[item, 3 * row + column] == expected
    assert items[0, 0, 0] == 1.0, "the caller's items are left alone"


def test_powers_of_two_lose_no_bit() -> None:
    """The firmware moves the binary point instead; only that gives the same numbers."""
    rng = np.random.default_rng(0)
    items = rng.normal(0.0, 1.0, (500, 2, 3)) * 10.0 ** rng.uniform(-3, 3, (500, 2, 3))
    items = items.astype(np.float32)
    features = ENCODING.apply(items)
    for number, scale in enumerate(SCALES[:-1]):
        exact = items.reshape(500, 6)[:, number].astype(np.float64)
        np.testing.assert_array_equal(features[:, number].astype(np.float64) * scale, exact)
    # and the last, which is no power of two, does lose some
    third = features[:, -1].astype(np.float64) * 3.0
    assert (third != items.reshape(500, 6)[:, -1].astype(np.float64)).any()


@pytest.mark.parametrize("shape", [(6,), (4, 6), (4, 3, 2), (4, 2, 4), (4, 2, 3, 1)])
def test_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\(n, 2, 3\)"):
        ENCODING.apply(np.zeros(shape))


@pytest.mark.parametrize("number", [0, 1, 5, 7])
def test_there_is_a_feature_for_each_number(number: int) -> None:
    features = [Feature(name="x")] * number
    with pytest.raises(ValidationError, match="feature"):
        InputEncoding(shape=[2, 3], features=features)


def test_a_scalar_item_is_refused() -> None:
    with pytest.raises(ValidationError, match="shape"):
        InputEncoding(shape=[], features=[Feature(name="x")])


@pytest.mark.parametrize("scale", [0.0, -1.0])
def test_a_scale_is_above_zero(scale: float) -> None:
    with pytest.raises(ValidationError, match="scale"):
        Feature(name="x", scale=scale)


def test_it_reads_as_it_was_written(tmp_path: Path) -> None:
    ENCODING.write(tmp_path / "inputs.json")
    assert InputEncoding.read(tmp_path / "inputs.json") == ENCODING


@pytest.mark.parametrize(
    "content",
    [None, "", "{}", '{"pt_unit_gev": [1.0]}', '{"shape": [2], "features": [{"name": "x"}]}'],
)
def test_constants_that_cannot_be_read_are_named(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "inputs.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(DataError, match=r"inputs\.json"):
        InputEncoding.read(path)
