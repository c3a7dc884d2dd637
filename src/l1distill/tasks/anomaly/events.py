"""Event format: nineteen objects an event, as in the public 40 MHz data set.

Layout of the published files (Govorkova et al., arXiv:2107.02157): HDF5 with one data set
``Particles`` of shape (N, 19, 4), float64, gzip. The columns are pT [GeV], eta, phi [rad] and the
object class; slot 0 is the missing transverse energy (MET, eta 0 by construction), then four
electrons, four muons and ten jets, each group sorted by falling pT. Absent objects are zero.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

N_OBJECTS = 19
FEATURES = ("Pt", "Eta", "Phi", "Class")
MET = 0
ELECTRONS = slice(1, 5)
MUONS = slice(5, 9)
LEPTONS = slice(1, 9)
JETS = slice(9, 19)
CLASSES = ("MET_class_1", "Four_Ele_class_2", "Four_Mu_class_3", "Ten_Jet_class_4")
ETA_LIMITS = {"electrons": (ELECTRONS, 3.0), "muons": (MUONS, 2.1), "jets": (JETS, 4.0)}
"""Physical boundary of eta for each type of object: what an autoencoder's tanh is re-scaled to
(Govorkova et al., arXiv:2108.03986, section III)."""

SIGNALS = ("lq_btau", "a_4l", "h0_tautau", "hch_taunu")
PROCESSES = ("w", "qcd", "z", "ttbar")  # the order is the Process code, 0 to 3

_CLASS_OF_SLOT = np.repeat([1, 2, 3, 4], [1, 4, 4, 10]).astype(np.float32)


@dataclass(frozen=True)
class Events:
    """A set of events.

    Attributes:
        objects: (n_events, 19, 3), pT [GeV], eta, phi [rad]; absent objects are all zero.
        process: (n_events,) int8, index into ``PROCESSES``; None where it is not known.
    """

    objects: NDArray[np.floating[Any]]
    process: NDArray[np.int8] | None = None


def to_particles(objects: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Add the column of object classes, as in the published files: 0 for an absent object.

    Args:
        objects: (n, 19, 3) pT [GeV], eta, phi [rad].

    Returns:
        (n, 19, 4).

    Raises:
        ValueError: the shape is another, or there is a NaN, an infinity or a negative pT.
    """
    if objects.ndim != 3 or objects.shape[1:] != (N_OBJECTS, 3):
        raise ValueError(f"objects must be (n, {N_OBJECTS}, 3), not {objects.shape}")
    particles = np.zeros((len(objects), N_OBJECTS, len(FEATURES)), dtype=np.float32)
    particles[..., :3] = objects
    if not np.isfinite(particles).all() or (particles[..., 0] < 0).any():
        raise ValueError("objects hold a NaN, an infinity or a negative pT")
    particles[..., 3] = np.where(particles[..., 0] > 0, _CLASS_OF_SLOT, 0)
    particles[:, MET, 3] = _CLASS_OF_SLOT[MET]
    return particles
