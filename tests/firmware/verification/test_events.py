from pathlib import Path

import h5py
import numpy as np
import pytest

from l1distill.core.errors import DataError
from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.network.layers import Reshape
from l1distill.firmware.network.network import Network
from l1distill.firmware.verification.events import random_events, read_events

X = np.random.default_rng(1).normal(size=(7, 4, 3)).astype(np.float32)


def write(path: Path, **arrays: np.ndarray) -> Path:
    if path.suffix == ".npy":
        np.save(path, arrays["x"])
    elif path.suffix == ".npz":
        np.savez(path, **arrays)
    else:
        with h5py.File(path, "w") as file:
            for name, array in arrays.items():
                file[name] = array
    return path


@pytest.mark.parametrize("suffix", ["npy", "npz", "h5"])
def test_every_kind_of_file_is_read(suffix: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"events.{suffix}", x=X)
    assert np.array_equal(read_events(path, 12, "events"), X.reshape(7, 12))
    if suffix != "npy":
        several = write(tmp_path / f"several.{suffix}", x=X, y=np.zeros(7))
        assert np.array_equal(read_events(several, 12, "events"), X.reshape(7, 12))
        only = write(tmp_path / f"only.{suffix}", Particles=X)
        assert np.array_equal(read_events(only, 12, "events"), X.reshape(7, 12))


def test_what_does_not_fit_is_one_line(tmp_path: Path) -> None:
    bad = X.copy()
    bad[3, 0, 0] = np.nan
    (tmp_path / "text.txt").write_text("1 2 3")
    (tmp_path / "broken.npz").write_text("1 2 3")
    for path, words in (
        (tmp_path / "none.npy", "no such file"),
        (tmp_path / "text.txt", "not .npy, .npz or .h5"),
        (tmp_path / "broken.npz", "cannot be read"),
        (write(tmp_path / "shape.npy", x=X[:, :3]), r"shape \(7, 3, 3\), the model takes"),
        (write(tmp_path / "nan.npy", x=bad), "event 3 is not finite"),
        (write(tmp_path / "two.npz", a=X, b=X), "holds a, b; call the events x"),
        (write(tmp_path / "objects.npy", x=np.array([None])), "cannot be read"),
    ):
        with pytest.raises(DataError, match=words) as refusal:
            read_events(path, 12, "events")
        assert str(refusal.value).startswith(f"events={path}: ")


def test_random_events_are_of_the_whole_range() -> None:
    kind = FixedPoint(signed=True, integer=2, fraction=3, overflow="SAT_SYM")
    network = Network(
        inputs=3,
        input_type=kind,
        layers=(Reshape("r", shape=(3,)),),
        output_type=kind,
        input_exponents=(0, 2, -1),
    )
    x = random_events(network, 4000, 1)
    assert kind.holds(x / network.input_units)
    assert np.array_equal(x.max(axis=0), kind.high * network.input_units)
    assert np.array_equal(x.min(axis=0), kind.low * network.input_units)
    assert 0.1 < np.mean(x == 0) < 0.5
    assert np.array_equal(x, random_events(network, 4000, 1))
