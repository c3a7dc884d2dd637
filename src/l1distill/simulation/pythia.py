"""PYTHIA: settings common to all processes, and its initialization."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import Self

_COMMON = (
    "Print:quiet = on",
    "Random:setSeed = on",
    # K0S and Lambda reach the calorimeters: what lives longer than 10 mm/c is stable, as in CMS
    "ParticleDecays:limitTau0 = on",
    "ParticleDecays:tau0Max = 10.",
    "Next:numberCount = 0",
)
_SEEDS = 900_000_000  # PYTHIA takes seeds up to this
_BATCH = 250

# Diffraction counts as soft up to 20 TeV: the multi-parton machinery of hard diffraction takes
# 4 s to initialize, and adds nothing above the calorimeters' thresholds.
MINIMUM_BIAS = ("SoftQCD:inelastic = on", "Diffraction:mMinPert = 20000.")
"""Inelastic collisions, as in pileup."""

UNDERLYING_EVENT = (
    "WeakSingleBoson:ffbar2gmZ = on",
    "WeakZ0:gmZmode = 2",
    "23:onMode = off",
    "23:onIfAny = 12 14 16",
    "SpaceShower:pTmaxMatch = 1",
    "SpaceShower:pTmaxFudge = 0.25",
    "PhaseSpace:mHatMin = 20.",
    "PhaseSpace:mHatMax = 30.",
)
"""The underlying event of a hard collision: a light Z that escapes as neutrinos, its own
initial-state radiation held below 7 GeV, leaves nothing visible but multi-parton interactions,
their radiation and the beam remnants."""


@dataclass(frozen=True, kw_only=True)
class Process:
    """A hard process.

    Attributes:
        commands: PYTHIA settings that select it.
        resonance: PDG code of the particle whose mass is recorded as generator truth, or None.
    """

    commands: tuple[str, ...]
    resonance: int | None = None

    def without_mpi(self) -> "Self":
        """Return the same process without multi-parton interactions."""
        return replace(self, commands=(*self.commands, "PartonLevel:MPI = off"))


def generate_batches(
    pythia: Any, size: int, progress: Callable[[float], None] | None = None
) -> Iterator[Any]:
    """Generate a number of collisions.

    Args:
        pythia: What :func:`build_pythia` returns.
        size: Number of collisions in all.
        progress: Called with the fraction done, in (0, 1], after each batch.

    Yields:
        What ``Pythia.nextBatch`` returns.
    """
    done = 0
    while done < size:
        batch = pythia.nextBatch(min(_BATCH, size - done))
        yield batch
        done += len(batch)
        if progress is not None:
            progress(done / size)


def build_pythia(
    commands: tuple[str, ...], *, collision_energy: float, seed: int, hook: Any = None
) -> Any:
    """Initialize PYTHIA for proton-proton collisions.

    Args:
        commands: Settings beyond those common to all processes.
        collision_energy: Energy of the collision [GeV].
        seed: Any non-negative integer.
        hook: A ``UserHooks`` object, or None.

    Returns:
        A ``pythia8mc.Pythia``.

    Raises:
        RuntimeError: PYTHIA refuses a setting or does not initialize.
    """
    import pythia8mc

    pythia = pythia8mc.Pythia("", False)
    own = (f"Beams:eCM = {collision_energy}", f"Random:seed = {1 + seed % _SEEDS}")
    for command in (*_COMMON, *commands, *own):
        if not pythia.readString(command):
            raise RuntimeError(f"PYTHIA refuses the setting {command!r}")
    if hook is not None:
        pythia.setUserHooksPtr(hook)
    if not pythia.init():
        raise RuntimeError("PYTHIA does not initialize; run it with Print:quiet = off to see why")
    return pythia
