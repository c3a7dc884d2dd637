"""Events of the pileup task: particles with pileup, without it, and at generator level."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.simulation.columns import DetectorObjects, FloatArray, IntArray

IDS = (
    "neutral hadron", "photon", "electron", "muon", "charged pion", "charged kaon", "proton",
    "other charged",
)  # fmt: skip
"""The eight particle ids, in the order of their numbers."""
_CODES = (0, 22, 11, 13, 211, 321, 2212)


def ids_of(code: IntArray) -> IntArray:
    """Return the particle ids of absolute PDG codes of tracks, or of 22 and 0 of clusters."""
    ids = np.full(len(code), len(IDS) - 1)
    for number, value in enumerate(_CODES):
        ids[code == value] = number
    return ids


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated(DetectorObjects):
    """Visible stable particles of the hard collision at generator level.

    Attributes:
        energy: (n,) [GeV].
    """

    energy: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class WithoutPileup(Generated):
    """Reconstructed particles of the hard collision alone.

    Attributes:
        charge: (n,) -1, 0 or 1.
        id: (n,) number in :data:`IDS`.
    """

    charge: IntArray
    id: IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedCandidates(WithoutPileup):
    """Reconstructed particles of the hard collision and of pileup.

    Attributes:
        d0: (n,) transverse impact parameter; 0 without a track [mm].
        dz: (n,) distance from the hard collision along the beam; 0 without a track [mm].
        puppi: (n,) PUPPI weight.
        hard_fraction: (n,) share of its pT that the hard collision has.
    """

    d0: FloatArray
    dz: FloatArray
    puppi: FloatArray
    hard_fraction: FloatArray


EVENT_NUMBERS = ("pileup", "gen_px", "gen_py")
"""Numbers of an event: pileup collisions, and the sum of the visible momenta at generator level
[GeV], whose magnitude is the missing momentum."""


@dataclass(frozen=True, kw_only=True)
class Events:
    """A batch of events.

    Attributes:
        numbers: (n_events, 3) float32, see :data:`EVENT_NUMBERS`.
        particles: with pileup.
        without_pileup: the same events, had there been no pileup.
        generated: at generator level.
        before: particles of the file that the events were read from, before their first one.
    """

    numbers: NDArray[np.float32]
    particles: RecordedCandidates
    without_pileup: WithoutPileup
    generated: Generated
    before: int = 0

    @property
    def rows(self) -> slice:
        """Where the particles stand among all of their file."""
        return slice(self.before, self.before + len(self.particles.event))

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.numbers)

    def select(self, kept: NDArray[np.bool_]) -> "Events":
        """Keep some events, (n_events,) bool, and number them anew."""
        return Events(
            numbers=self.numbers[kept],
            particles=self.particles.select_events(kept),
            without_pileup=self.without_pileup.select_events(kept),
            generated=self.generated.select_events(kept),
        )

    @classmethod
    def concatenate(cls, parts: "list[Events]") -> "Events":
        """Join batches, one behind the other; at least one."""
        first = np.cumsum([0, *(len(part) for part in parts)])

        def shifted(name: str) -> list[Any]:
            tables = [getattr(part, name) for part in parts]
            return [
                replace(table, event=table.event + start)
                for table, start in zip(tables, first[:-1], strict=True)
            ]

        return cls(
            numbers=np.concatenate([part.numbers for part in parts]),
            particles=RecordedCandidates.concatenate(shifted("particles")),
            without_pileup=WithoutPileup.concatenate(shifted("without_pileup")),
            generated=Generated.concatenate(shifted("generated")),
        )
