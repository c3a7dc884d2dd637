"""Check and normalize events from elsewhere: units, order, ranges, NaN and infinity."""

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.core.errors import DataError
from l1distill.tasks.anomaly.events import ELECTRONS, JETS, MET, MUONS, N_OBJECTS

_COLLISION_GEV = 14_000.0  # design energy of the LHC
_SOFTEST_GEV = 10.0  # MET alone is about that if nothing happens

SORTED = "had objects out of order in pT, or after an empty slot; they were sorted"
CLEARED = "had an eta or phi without a pT; it was set to zero"
MET_ETA = "had a MET with an eta; it was set to zero"
WRAPPED = "had a phi outside [-pi, pi]; it was brought inside"

_PI = np.float32(np.pi)
_GROUPS = (ELECTRONS, MUONS, JETS)


def check_numbers(
    source: str, number: NDArray[np.int64], pt: NDArray[Any], *others: NDArray[Any]
) -> None:
    """Refuse NaN, infinity and negative pT.

    Args:
        source: the file.
        number: (n,) the event that each row belongs to, by its place in the file; ascending.
        pt: (n, ...) transverse momenta, in any unit.
        others: (n, ...) more numbers.

    Raises:
        DataError: a NaN, an infinity (also: beyond what float32 holds) or a negative pT; the
            line names the event.
    """
    for values in (pt, *others):
        with np.errstate(over="ignore"):
            finite = _rows(np.isfinite(values.astype(np.float32, copy=False)))
        if not finite.all():
            raise DataError(
                f"{source}: NaN or infinity in event {number[np.argmin(finite)]}; remove the event "
                "or make the file again"
            )
    positive = _rows(pt >= 0)
    if not positive.all():
        raise DataError(
            f"{source}: negative pT in event {number[np.argmin(positive)]}; remove the event or "
            "make the file again"
        )


def _rows(good: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return for each row whether all of it is good."""
    return np.asarray(good.all(axis=tuple(range(1, good.ndim))))


def check_unit(source: str, pt_sum: NDArray[np.floating[Any]], pt_unit: str) -> None:
    """Refuse pT in another unit than the configured one.

    The scalar sum of an event's pT, MET included, cannot exceed the energy of the collision, not
    even with the heaviest resonance in it, and what a trigger sees sums up to more than some GeV.
    A usual event, with some 100 GeV, leaves these bounds if it is off by a factor of a thousand.
    The median forgives a few freaks.

    Args:
        source: the file.
        pt_sum: (n,) of each event, in GeV if the unit is right.
        pt_unit: the configured unit, GeV or MeV.

    Raises:
        DataError: the median is out of bounds.
    """
    filled = pt_sum[pt_sum > 0]
    if not len(filled):
        return
    median = float(np.median(filled))
    if pt_unit == "GeV" and median > _COLLISION_GEV:
        other = "MeV"
    elif pt_unit == "MeV" and median < _SOFTEST_GEV:
        other = "GeV"
    else:
        return
    raise DataError(
        f"{source}: pT looks like {other}, not {pt_unit}: the median event would sum up to "
        f"{median:,.2f} GeV; set data.files.pt_unit={other}"
    )


def normalize(
    source: str, number: NDArray[np.int64], objects: NDArray[np.floating[Any]]
) -> tuple[NDArray[np.float32], Counter[str]]:
    """Bring events into the order and ranges of the event format.

    Args:
        source: the file.
        number: (n,) of each event, by its place in the file.
        objects: (n, 19, 3) pT [GeV], eta, phi [rad]; not changed.

    Returns:
        The same objects, each group by falling pT with empty slots at its end and all zero, MET
        without eta, phi in [-pi, pi]; and the number of events that had to be changed, by the
        defect.

    Raises:
        DataError: see :func:`check_numbers`; or a phi that is no angle in radians.
    """
    if objects.shape[1:] != (N_OBJECTS, 3):
        raise ValueError(f"objects must be (n, {N_OBJECTS}, 3), not {objects.shape}")
    check_numbers(source, number, objects[..., 0], objects[..., 1:])
    result = objects.astype(np.float32)
    repairs: Counter[str] = Counter()

    absent = result[..., 0] == 0
    repairs[CLEARED] = _events(absent & (result[..., 1:] != 0).any(axis=2))
    result[absent] = 0.0  # also where there is a negative zero

    repairs[MET_ETA] = _events(result[:, MET, 1] != 0)
    result[:, MET, 1] = 0.0

    phi = result[..., 2]
    repairs[WRAPPED] = _events(np.abs(phi) > _PI)
    if repairs[WRAPPED]:
        _wrap(source, number, phi)

    unsorted = np.zeros(len(result), dtype=bool)
    for group in _GROUPS:
        pt = result[:, group, 0]
        rows = np.flatnonzero((pt[:, 1:] > pt[:, :-1]).any(axis=1))
        order = np.argsort(-pt[rows], axis=1, kind="stable")
        result[rows, group] = np.take_along_axis(result[rows, group], order[..., None], axis=1)
        unsorted[rows] = True
    repairs[SORTED] = int(unsorted.sum())
    return result, repairs


def _events(bad: NDArray[np.bool_]) -> int:
    """Count the rows in which anything is bad."""
    return len(bad) - int(_rows(~bad).sum())


def _wrap(source: str, number: NDArray[np.int64], phi: NDArray[np.float32]) -> None:
    """Bring angles (n, 19) into [-pi, pi], in place."""
    # one turn is another convention, more is another unit
    far = (np.abs(phi) > 2 * _PI).any(axis=1)
    if far.any():
        event = int(np.argmax(far))
        raise DataError(
            f"{source}: phi of {np.abs(phi[event]).max():.4g} in event {number[event]}; "
            "give phi in radians, not degrees"
        )
    outside = np.abs(phi) > _PI
    turned = (phi[outside].astype(np.float64) + np.pi) % (2 * np.pi) - np.pi
    phi[outside] = np.clip(turned.astype(np.float32), -_PI, _PI)
