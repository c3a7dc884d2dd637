"""Flat records of many events: one row per object, sorted by event number."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from typing import Self

# The names say the type: numpy's stubs lose it in most expressions, so that checking it
# would mean a cast on every other line.
FloatArray = NDArray[Any]  # float64
IntArray = NDArray[Any]  # int64
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Arrays of equal length, one row per object; the base of all records of objects.

    Attributes:
        event: (n,) int64, index of the object's event in its batch.
    """

    event: IntArray

    @classmethod
    def of(cls, record: "Columns", **further: NDArray[Any]) -> "Self":
        """Take the columns of a record that this class has too, and further ones.

        Args:
            record: Of any class of records; its other columns are dropped.
            further: Columns that it lacks.
        """
        own = {field.name for field in fields(cls)} - set(further)
        shared = own & {field.name for field in fields(record)}
        return cls(**{name: getattr(record, name) for name in shared}, **further)

    def take(self, rows: IntArray | BoolArray) -> "Self":
        """Return the rows that an index array or a mask selects."""
        columns = {field.name: getattr(self, field.name)[rows] for field in fields(self)}
        return type(self)(**columns)

    def select_events(self, kept: BoolArray) -> "Self":
        """Keep some events of a batch and number them anew, without gaps.

        Args:
            kept: (n_events,) whether to keep the event.
        """
        number = np.cumsum(kept) - 1
        columns = {field.name: getattr(self, field.name) for field in fields(self)}
        mask = kept[self.event]
        columns = {name: column[mask] for name, column in columns.items()}
        return type(self)(**columns | {"event": number[columns["event"]]})

    @classmethod
    def concatenate(cls, parts: Sequence["Self"]) -> "Self":
        """Join records, one behind the other.

        Args:
            parts: Records of this class or of subclasses, whose further columns are dropped.
        """
        columns = {
            field.name: np.concatenate([getattr(part, field.name) for part in parts])
            for field in fields(cls)
        }
        return cls(**columns)

    @classmethod
    def merge(cls, *parts: "Self") -> "Self":
        """Join records of the same batch, sorted by event.

        Args:
            parts: Records of this class or of subclasses, whose further columns are dropped; the
                earlier ones come first within each event.
        """
        joined = cls.concatenate(parts)
        return joined.take(np.argsort(joined.event, kind="stable"))


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorObjects(Columns):
    """Reconstructed objects: tracks, calorimeter clusters, leptons or jets.

    Attributes:
        event: (n,) int64, index of the event in the batch; ascending.
        pt: (n,) transverse momentum [GeV].
        eta: (n,) pseudorapidity.
        phi: (n,) azimuth [rad].
    """

    pt: FloatArray
    eta: FloatArray
    phi: FloatArray
