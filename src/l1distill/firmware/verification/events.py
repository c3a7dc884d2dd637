"""Verification events for a model without a data set: from a file, or random ones."""

import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from l1distill.core.errors import DataError
from l1distill.firmware.network.network import Network

NAME = "x"
"""Name of the events in a file that holds several arrays."""


def read_events(path: Path, inputs: int, setting: str) -> NDArray[np.float64]:
    """Read events from ``.npy``, ``.npz`` or ``.h5``: its only array, or that of the name x.

    Args:
        path: the file.
        inputs: number of inputs of the network.
        setting: the key that named the file, for error messages.

    Returns:
        (n, inputs) finite numbers.

    Raises:
        DataError: the file cannot be read or does not fit.
    """
    if not path.is_file():
        raise DataError(f"{setting}={path}: no such file")
    try:
        events = _read(path)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{setting}={path}: cannot be read ({str(error)[:200]})") from error
    if events.ndim < 2 or events.shape[0] == 0 or events[0].size != inputs:
        raise DataError(
            f"{setting}={path}: has the shape {events.shape}, the model takes (events, {inputs})"
        )
    values = events.reshape(len(events), -1).astype(np.float64)
    if not np.isfinite(values).all():
        (bad, *_) = np.flatnonzero(~np.isfinite(values).all(axis=1))
        raise DataError(f"{setting}={path}: event {bad} is not finite; leave such events out")
    return values


def _read(path: Path) -> NDArray[np.float64]:
    if path.suffix == ".npy":
        return np.asarray(np.load(path, allow_pickle=False), dtype=np.float64)
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as file:
            return np.asarray(file[_only(list(file))], dtype=np.float64)
    if path.suffix in (".h5", ".hdf5"):
        import h5py

        with h5py.File(path) as file:
            names = [name for name, entry in file.items() if isinstance(entry, h5py.Dataset)]
            return np.asarray(file[_only(names)], dtype=np.float64)
    raise ValueError("not .npy, .npz or .h5")


def _only(names: list[str]) -> str:
    if NAME in names or len(names) != 1:
        if NAME not in names:
            raise ValueError(f"holds {', '.join(names) or 'nothing'}; call the events {NAME}")
        return NAME
    return names[0]


def random_events(network: Network, number: int, seed: int) -> NDArray[np.float64]:
    """Draw events on the grid of the inputs, from their whole range.

    Half of them are sparse, as events with few objects are: sums then stay where rounding counts
    and do not all saturate.

    Args:
        network: gives the inputs.
        number: of events.
        seed: of the random numbers.

    Returns:
        (number, inputs) inputs of the network.
    """
    rng = np.random.default_rng(seed)
    ports = network.ports
    low = np.array([round(port.low / port.step) for port in ports])
    high = np.array([round(port.high / port.step) for port in ports])
    shape = (number, network.inputs)
    if network.port_types:
        codes = rng.integers(low, high + 1, shape).astype(np.float64)
    else:  # one pair of ends for all draws other numbers than a pair for each
        codes = rng.integers(int(low[0]), int(high[0]) + 1, shape).astype(np.float64)
    sparse = number // 2
    codes[:sparse] *= rng.random((sparse, network.inputs)) < rng.random((sparse, 1))
    steps = np.array([port.step for port in ports])
    result: NDArray[np.float64] = codes * steps * network.input_units
    return result
