"""The event format: nineteen objects an event, as in the public 40 MHz data set.

Layout of the published files (Govorkova et al., arXiv:2107.02157): HDF5 with one data set
``Particles`` of shape (N, 19, 4), float64, gzip. The columns are pT [GeV], eta, phi [rad] and the
object class; slot 0 is the missing transverse energy (MET, eta 0 by construction), then four
electrons, four muons and ten jets, each group sorted by falling pT. Absent objects are zero.
"""

import os
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from l1distill.errors import InputError

N_OBJECTS = 19
FEATURES = ("Pt", "Eta", "Phi", "Class")
MET = 0
ELECTRONS = slice(1, 5)
MUONS = slice(5, 9)
JETS = slice(9, 19)
CLASSES = ("MET_class_1", "Four_Ele_class_2", "Four_Mu_class_3", "Ten_Jet_class_4")

SIGNALS = ("lq_btau", "a_4l", "h0_tautau", "hch_taunu")
PROCESSES = ("w", "qcd", "z", "ttbar")  # the order is the Process code, 0 to 3

_CLASS_OF_SLOT = np.repeat([1, 2, 3, 4], [1, 4, 4, 10]).astype(np.float64)
_CHUNK = 1024  # events a chunk: 608 kB before compression


class Events(NamedTuple):
    """A set of events.

    Attributes:
        objects: (n_events, 19, 3), pT [GeV], eta, phi [rad]; absent objects are all zero.
        process: (n_events,) int8, index into ``PROCESSES``; None where it is not known.
    """

    objects: NDArray[np.floating[Any]]
    process: NDArray[np.int8] | None = None


def write_events(path: Path, events: Events) -> None:
    """Writes events in the public format, all or nothing, the same bytes for the same events.

    An object without pT gets class 0, as in the published files.

    Args:
        path: The file to write; its folder must exist.
        events: What to write.

    Raises:
        ValueError: If the objects are not of shape (n, 19, 3) or the process of shape (n,).
    """
    objects = np.asarray(events.objects, dtype=np.float64)
    if objects.ndim != 3 or objects.shape[1:] != (N_OBJECTS, 3):
        raise ValueError(f"objects must be (n, {N_OBJECTS}, 3), not {objects.shape}")
    if events.process is not None and events.process.shape != objects.shape[:1]:
        raise ValueError(f"process must be ({len(objects)},), not {events.process.shape}")
    particles = np.zeros((len(objects), N_OBJECTS, len(FEATURES)))
    particles[..., :3] = objects
    particles[..., 3] = np.where(objects[..., 0] > 0, _CLASS_OF_SLOT, 0.0)
    particles[:, MET, 3] = _CLASS_OF_SLOT[MET]

    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    try:
        with h5py.File(temporary, "w", track_order=False) as file:
            # without time stamps in the file, its checksum identifies its content
            options: dict[str, Any] = {"track_times": False}
            file.create_dataset(
                "Particles",
                data=particles,
                chunks=(max(1, min(_CHUNK, len(particles))), *particles.shape[1:]),
                compression="gzip",
                compression_opts=4,
                **options,
            )
            for name, words in (("Particles_Names", FEATURES), ("Particles_Classes", CLASSES)):
                file.create_dataset(name, data=np.array(words, dtype="S"), **options)
            if events.process is not None:
                file.create_dataset("Process", data=events.process.astype(np.int8), **options)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)


def read_events(path: Path) -> Events:
    """Reads and checks a file in the public format.

    Args:
        path: A file of this platform, or one as published.

    Returns:
        The events, float64.

    Raises:
        InputError: If the file is missing, is not HDF5 or is truncated, has no ``Particles`` or
            one of another shape, or holds NaN, infinities or a negative pT.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; generate the data set or correct the path")
    try:
        with h5py.File(path, "r") as file:
            if "Particles" not in file:
                found = ", ".join(sorted(file)) or "nothing"
                raise InputError(
                    f"{path}: no data set 'Particles' (found: {found}); "
                    f"give a file in the public event format"
                )
            particles = file["Particles"]
            shape = getattr(particles, "shape", None)
            if shape is None or len(shape) != 3 or shape[1:] != (N_OBJECTS, len(FEATURES)):
                raise InputError(
                    f"{path}: 'Particles' has shape {shape}, expected (N, {N_OBJECTS}, "
                    f"{len(FEATURES)}); give a file in the public event format"
                )
            if particles.dtype.kind not in "fiu":
                raise InputError(
                    f"{path}: 'Particles' holds {particles.dtype}, not numbers; "
                    f"give a file in the public event format"
                )
            objects = particles[..., :3].astype(np.float64)
            process = file["Process"][:].astype(np.int8) if "Process" in file else None
    except OSError as error:
        raise InputError(
            f"{path}: not a readable HDF5 file (truncated or another format); "
            f"copy or generate it again"
        ) from error
    _check(path, objects, process)
    return Events(objects, process)


def _check(path: Path, objects: NDArray[np.float64], process: NDArray[np.int8] | None) -> None:
    finite = np.isfinite(objects).all(axis=(1, 2))
    if not finite.all():
        raise InputError(
            f"{path}: NaN or infinity in event {int(np.argmin(finite))}; "
            f"remove the event or generate the file again"
        )
    negative = (objects[..., 0] < 0).any(axis=1)
    if negative.any():
        raise InputError(
            f"{path}: negative pT in event {int(np.argmax(negative))}; "
            f"remove the event or generate the file again"
        )
    if process is not None and process.shape != objects.shape[:1]:
        raise InputError(
            f"{path}: 'Process' has {process.size} entries for {len(objects)} events; "
            f"generate the file again"
        )
