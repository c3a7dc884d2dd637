"""Stable particles of many events in flat arrays, as the detector simulation takes them."""

from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

# The names say the type: numpy's stubs lose it in most expressions, so that checking it
# would mean a cast on every other line.
FloatArray = NDArray[Any]  # float64
IntArray = NDArray[Any]  # int64
BoolArray = NDArray[np.bool_]
Flat = TypeVar("Flat", bound=NamedTuple)  # columns of equal length, the event's number first

ELECTRON = 11
MUON = 13
PHOTON = 22
_NEUTRINOS = (12, 14, 16)
_CHARGED_HADRONS = (211, 321, 2212, 3112, 3222, 3312, 3334)
_CODES = 6000  # every stable particle's |PDG code| lies below, and that of b and c hadrons

_CHARGED = np.zeros(_CODES, dtype=bool)
_CHARGED[[ELECTRON, MUON, *_CHARGED_HADRONS]] = True
_INVISIBLE = np.zeros(_CODES, dtype=bool)
_INVISIBLE[list(_NEUTRINOS)] = True


class Particles(NamedTuple):
    """Visible stable particles of a batch of events, sorted by event.

    Attributes:
        event: (n,) int64, index of the event in the batch.
        code: (n,) int64, absolute PDG code.
        pt: (n,) [GeV].
        eta: (n,) pseudorapidity.
        phi: (n,) [rad], in (-pi, pi].
        energy: (n,) [GeV].
    """

    event: IntArray
    code: IntArray
    pt: FloatArray
    eta: FloatArray
    phi: FloatArray
    energy: FloatArray

    @property
    def charged(self) -> NDArray[np.bool_]:
        """(n,) whether the tracker sees the particle."""
        return _CHARGED[self.code]


def is_visible(code: int) -> bool:
    """Says whether a stable particle leaves a trace in the detector."""
    return code < _CODES and not _INVISIBLE[code]


def from_batch(batch: Any, eta_max: float = 5.2) -> Particles:
    """Flattens what ``Pythia.nextBatch`` returns: visible, stable, within the calorimeters.

    Args:
        batch: Awkward array with PYTHIA's particle record ``prt``.
        eta_max: Particles beyond are lost in the beam pipe.

    Returns:
        The particles, in PYTHIA's order.
    """
    import awkward as ak

    record = batch.prt
    counts = ak.to_numpy(ak.num(record.status))
    event = np.repeat(np.arange(len(counts)), counts)

    def flat(field: Any) -> NDArray[Any]:
        flattened: NDArray[Any] = ak.to_numpy(ak.flatten(field))
        return flattened

    code = np.abs(flat(record.id))
    stable = (flat(record.status) > 0) & (code < _CODES)
    stable[stable] &= ~_INVISIBLE[code[stable]]
    px, py, pz, energy = (flat(record.p[name])[stable] for name in ("px", "py", "pz", "e"))
    pt = np.hypot(px, py)
    eta = np.arcsinh(pz / np.maximum(pt, 1e-9))
    kept = np.abs(eta) < eta_max
    return Particles(
        event[stable][kept],
        code[stable][kept].astype(np.int64),
        pt[kept],
        eta[kept],
        np.arctan2(py, px)[kept],
        energy[kept],
    )


def select_events(items: Flat, kept: NDArray[np.bool_]) -> Flat:
    """Keeps some events of a batch and numbers them anew, without gaps.

    Args:
        items: Flat arrays whose first column is the event.
        kept: (n_events,) which to keep.
    """
    number = np.cumsum(kept) - 1
    event = items[0]
    mask = kept[event]
    return items._make([number[event[mask]], *(column[mask] for column in items[1:])])


def merge(first: Flat, second: Flat) -> Flat:
    """Joins two flat records of the same batch, sorted by event.

    Args:
        first: Comes first within each event.
        second: Has the same columns.
    """
    columns = [np.concatenate(pair) for pair in zip(first, second, strict=True)]
    order = np.argsort(columns[0], kind="stable")
    return first._make([column[order] for column in columns])


def wrap(phi: FloatArray) -> FloatArray:
    """Brings angles into [-pi, pi)."""
    wrapped: FloatArray = (phi + np.pi) % (2 * np.pi) - np.pi
    return wrapped
