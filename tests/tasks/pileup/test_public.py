"""Published files of pileup events, made as the published code writes and reads them."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from l1distill.core.errors import DataError
from l1distill.tasks.pileup.readers.public import (
    VECTORS,
    PublishedEvents,
    count_events,
    stream_published,
)
from l1distill.tasks.pileup.responses import missing_momentum

N_EVENTS, N_PARTICLES = 5, 40


def _arrays(seed: int = 0) -> dict[str, np.ndarray]:
    """Padded particles; event 2 has none."""
    rng = np.random.default_rng(seed)
    arrays = {"distill_inputs_default": np.zeros((16, N_EVENTS, N_PARTICLES), np.float32)}
    arrays |= {name: np.zeros((5, N_EVENTS, N_PARTICLES), np.float32) for name in VECTORS}
    for event, number in enumerate((7, 40, 0, 13, 1)):
        momentum = rng.normal(0, 5, (3, number))
        energy = np.sqrt((momentum**2).sum(axis=0) + 0.02)
        vector = np.concatenate([momentum, energy[None]])
        inputs = arrays["distill_inputs_default"][:, event, :number]
        inputs[:4] = vector
        inputs[4:7] = rng.random((3, number))
        inputs[7] = rng.integers(-1, 2, number)
        inputs[8 + rng.integers(0, 8, number), np.arange(number)] = 1
        for name in VECTORS:
            part = number if name in ("data_abc", "data_puppi") else number // 2
            arrays[name][:4, event, :part] = vector[:, :part]
            arrays[name][4, event, :part] = rng.random(part)
    return arrays


def _write(path: Path, arrays: dict[str, np.ndarray]) -> Path:
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array, compression="gzip")
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return _write(tmp_path / "published.h5", _arrays())


def test_particles_are_those_of_a_plain_loop(path: Path) -> None:
    """As the published code selects and converts them, one particle at a time."""
    arrays = _arrays()
    inputs, teacher = arrays["distill_inputs_default"], arrays["data_abc"][4]
    expected = []
    for event in range(N_EVENTS):
        for at in range(N_PARTICLES):
            px, py, pz, energy, d0, dz, puppi, charge, *ids = inputs[:, event, at].tolist()
            if abs(px) > 0.000001:
                pt = (px**2 + py**2) ** 0.5
                eta = np.arcsinh(pz / pt)
                phi = np.arctan2(py, px)
                row = (event, pt, eta, phi, energy, d0, dz, puppi, charge, ids.index(1))
                expected.append((*row, float(teacher[event, at])))
    (events,) = stream_published(path)
    names = ("event", "pt", "eta", "phi", "energy", "d0", "dz", "puppi", "charge", "id", "teacher")
    found = np.stack([getattr(events.particles, name) for name in names], axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert len(found) == 61


def test_batches_join_to_the_whole(path: Path) -> None:
    assert count_events(path) == N_EVENTS
    (whole,) = stream_published(path)
    parts = list(stream_published(path, batch=2))
    assert [part.n_events for part in parts] == [2, 2, 1]

    def joined(events: list[PublishedEvents], name: str) -> np.ndarray:
        return np.concatenate([part.vectors[name].weight for part in events])

    for name in VECTORS:
        assert np.array_equal(joined(parts, name), whole.vectors[name].weight)


def test_missing_momentum_is_that_of_the_padded_arrays(path: Path) -> None:
    (events,) = stream_published(path)
    for name in ("data_abc", "data_gen"):
        px, py, _, _, weight = _arrays()[name].astype(np.float64)
        expected = np.hypot((weight * px).sum(axis=1), (weight * py).sum(axis=1))
        particles = events.vectors[name]
        found = missing_momentum(particles, particles.weight, N_EVENTS)
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


def test_other_files_are_refused(tmp_path: Path) -> None:
    arrays = _arrays()

    def refused(changed: dict[str, np.ndarray], words: str) -> None:
        path = _write(tmp_path / "changed.h5", changed)
        with pytest.raises(DataError, match=words):
            list(stream_published(path))

    refused({k: v for k, v in arrays.items() if k != "data_gen"}, "lacks the data set data_gen")
    inputs = arrays["distill_inputs_default"]
    refused(arrays | {"distill_inputs_default": inputs[:15]}, r"is \(15, 5, 40\), not \(16,")
    refused(arrays | {"data_nopu": arrays["data_nopu"][:, :3]}, "different numbers of events")
    refused(arrays | {"data_abc": arrays["data_abc"][:, :, :9]}, "different numbers of particles")
    damaged = inputs.copy()
    damaged[3, 4, 0] = np.nan
    refused(arrays | {"distill_inputs_default": damaged}, "holds NaN or infinity")
    whole = _write(tmp_path / "whole.h5", arrays).read_bytes()
    (tmp_path / "cut.h5").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="cannot be read as HDF5"):
        count_events(tmp_path / "cut.h5")
    with pytest.raises(DataError, match="no such file"):
        count_events(tmp_path / "none.h5")
