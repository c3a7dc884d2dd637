"""Read the published events of Bal et al.: HDF5 with padded particles.

``distill_inputs_default`` is (16, events, 9000): px, py, pz, E [GeV], d0, dz, PUPPI weight, charge,
and eight particle ids, one of them 1. ``data_abc``, ``data_puppi``, ``data_nopu`` and ``data_gen``
are (5, events, 9000): px, py, pz, E [GeV] and the weight that the four-momenta are to be multiplied
with: that of the published teacher (then called ABCNet), that of PUPPI, 1 and 1. A particle whose
px is zero pads.

Source:
    The code published with the paper (``data_helpers.py``, ``calc_met.py``), which also tells
    padding by px.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from l1distill.core.errors import DataError, first_line
from l1distill.simulation.columns import FloatArray, IntArray
from l1distill.simulation.kinematics import pseudorapidity
from l1distill.tasks.pileup.events import Generated

INPUTS = "distill_inputs_default"
VECTORS = ("data_abc", "data_puppi", "data_nopu", "data_gen")
N_INPUTS, N_VECTOR, N_IDS = 16, 5, 8
_PADDING = 1e-6  # [GeV]: below this px a particle pads


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighted(Generated):
    """Particles with the weight that their four-momenta are to be multiplied with.

    Attributes:
        weight: (n,).
    """

    weight: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedInputs(Generated):
    """Particles with the features that the published student reads.

    Attributes:
        d0: (n,) transverse impact parameter, in the files' unit.
        dz: (n,) longitudinal impact parameter, in the files' unit.
        puppi: (n,) PUPPI weight.
        charge: (n,) -1, 0 or 1.
        id: (n,) which of the eight ids is set, 0 to 7; -1 where none is.
        teacher: (n,) weight of the published teacher: the soft label.
    """

    d0: FloatArray
    dz: FloatArray
    puppi: FloatArray
    charge: IntArray
    id: IntArray
    teacher: FloatArray


@dataclass(frozen=True, kw_only=True)
class PublishedEvents:
    """A batch of published events, without padding.

    Attributes:
        n_events: number of events.
        particles: with pileup.
        vectors: four-momenta and weights by the names in :data:`VECTORS`.
    """

    n_events: int
    particles: PublishedInputs
    vectors: dict[str, Weighted]


def count_events(path: Path) -> int:
    """Return the number of events of a published file.

    Raises:
        DataError: the file is missing, is not HDF5, or has another layout.
    """
    with _file(path) as file:
        return _check(path, file)


def stream_published(path: Path, batch: int = 16) -> Iterator[PublishedEvents]:
    """Read a published file in batches of events.

    Args:
        path: of the file.
        batch: events to read at once; 16 take 10 MB.

    Raises:
        DataError: the file is missing, is not HDF5, is truncated, has another layout, or holds
            numbers that are not finite.
    """
    with _file(path) as file:
        total = _check(path, file)
        for low in range(0, total, batch):
            try:
                arrays = {
                    name: np.asarray(file[name][:, low : low + batch], np.float64)
                    for name in (INPUTS, *VECTORS)
                }
            except OSError as error:
                raise _refused(path, f"cannot be read ({first_line(error)})") from error
            for name, array in arrays.items():
                if not np.isfinite(array).all():
                    raise _refused(path, f"{name} holds NaN or infinity, at event {low} or later")
            yield _unpad(arrays)


def _file(path: Path) -> h5py.File:
    if not path.is_file():
        raise DataError(f"{path}: no such file; name a file of published pileup events")
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise _refused(path, f"cannot be read as HDF5 ({first_line(error)})") from error


def _refused(path: Path, why: str) -> DataError:
    return DataError(f"{path}: {why}; published pileup events are read: download the file again")


def _check(path: Path, file: h5py.File) -> int:
    """Return the number of events of a file with the right layout."""
    expected = {INPUTS: N_INPUTS, **dict.fromkeys(VECTORS, N_VECTOR)}
    lacking = [name for name in expected if not isinstance(file.get(name), h5py.Dataset)]
    if lacking:
        raise _refused(path, f"lacks the data set {lacking[0]}")
    shapes = {name: file[name].shape for name in expected}
    for name, rows in expected.items():
        if len(shapes[name]) != 3 or shapes[name][0] != rows:
            raise _refused(path, f"{name} is {shapes[name]}, not ({rows}, events, particles)")
        if shapes[name][1] != shapes[INPUTS][1]:
            raise _refused(path, f"{name} and {INPUTS} are of different numbers of events")
    if shapes["data_abc"] != (N_VECTOR, *shapes[INPUTS][1:]):
        raise _refused(path, f"data_abc and {INPUTS} are of different numbers of particles")
    return int(shapes[INPUTS][1])


def _unpad(arrays: dict[str, NDArray[Any]]) -> PublishedEvents:
    inputs, teacher = arrays[INPUTS], arrays["data_abc"]
    real = np.abs(inputs[0]) > _PADDING
    own = {f"_{number}": row[real] for number, row in enumerate(inputs)}
    ids = np.stack([own[f"_{number}"] for number in range(N_INPUTS - N_IDS, N_INPUTS)])
    particles = PublishedInputs(
        **_kinematics(inputs, real),
        d0=own["_4"],
        dz=own["_5"],
        puppi=own["_6"],
        charge=np.rint(own["_7"]).astype(np.int64),
        id=np.where(ids.max(axis=0) > 0.5, ids.argmax(axis=0), -1),
        teacher=teacher[4][real],
    )
    vectors = {}
    for name in VECTORS:
        array = arrays[name]
        real = np.abs(array[0]) > _PADDING
        vectors[name] = Weighted(**_kinematics(array, real), weight=array[4][real])
    return PublishedEvents(n_events=inputs.shape[1], particles=particles, vectors=vectors)


def _kinematics(array: NDArray[Any], real: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
    px, py, pz, energy = (row[real] for row in array[:4])
    pt = np.hypot(px, py)
    return {
        "event": np.nonzero(real)[0],
        "pt": pt,
        "eta": pseudorapidity(pt, pz),
        "phi": np.arctan2(py, px),
        "energy": energy,
    }
