"""Settings of the anomaly data set's generator."""

from typing import Any, Literal

from pydantic import Field

from l1distill.core.settings import Settings
from l1distill.simulation.settings import DetectorSettings


class LeptonFilterSettings(Settings):
    """The lepton filter on reconstructed objects (Govorkova et al., arXiv:2107.02157)."""

    electron_pt_min: float = Field(default=23.0, ge=15.0)
    """Smallest pT of the leading electron [GeV]."""
    electron_eta_max: float = Field(default=3.0, gt=0)
    """Largest abs(eta) of the leading electron."""
    muon_pt_min: float = Field(default=23.0, ge=15.0)
    """Smallest pT of the leading muon [GeV]."""
    muon_eta_max: float = Field(default=2.1, gt=0)
    """Largest abs(eta) of the leading muon."""

    @property
    def lepton_pt_min(self) -> float:
        """The lower of the two thresholds [GeV]."""
        return min(self.electron_pt_min, self.muon_pt_min)


class GeneratorSettings(Settings):
    """All that decides which events are generated; equal settings give equal files."""

    seed: int = Field(default=1, ge=0)
    """Seed of the whole data set."""
    background: int = Field(default=5000, ge=1)
    """Number of background events."""
    signal: int = Field(default=500, ge=1)
    """Number of events of each signal."""
    mpi: Literal["overlay", "full", "off"] = "overlay"
    """Multi-parton interactions of the hard collision: ``overlay`` takes them from a pool that
    PYTHIA filled once (fast), ``full`` has PYTHIA make them for each event (the reference, several
    times slower), ``off`` leaves them out."""
    pileup: float = Field(default=20.0, ge=0, le=200)
    """Mean number of inelastic collisions overlaid on an event."""
    pool: int | None = Field(default=None, ge=10)
    """Inelastic collisions in the pileup pool; null for half the events asked for, between 400 and
    20,000. Each use is rotated in phi and may be mirrored in eta."""
    shard: int = Field(default=2000, ge=10)
    """Events of a shard of the quickest process; slower ones get fewer, so that shards take about
    the same time."""
    detector: DetectorSettings = DetectorSettings()
    """Detector simulation."""
    filter: LeptonFilterSettings = LeptonFilterSettings()
    """Lepton filter."""

    @property
    def pool_size(self) -> int:
        """The number of inelastic collisions in the pileup pool."""
        if self.pool is not None:
            return self.pool
        return min(max((self.background + 4 * self.signal) // 2, 400), 20_000)

    @property
    def physics(self) -> dict[str, Any]:
        """The settings that change what events look like, and not their number or seed."""
        return self.model_dump(
            mode="json", exclude={"seed", "background", "signal", "pool", "shard"}
        )
