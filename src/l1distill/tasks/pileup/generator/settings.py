"""Settings of the generator of events with pileup."""

from pydantic import Field

from l1distill.core.settings import Settings
from l1distill.simulation.settings import Phase2Settings
from l1distill.tasks.pileup.puppi import PuppiSettings


class GeneratorSettings(Settings):
    """All that decides which events are generated; equal settings give equal files."""

    seed: int = Field(default=1, ge=0)
    """Seed of the whole data set."""
    train: int = Field(default=400, ge=1)
    """Number of W + jets events, to train on."""
    test: int = Field(default=400, ge=1)
    """Number of dileptonic top pairs, to test on."""
    pileup: float = Field(default=60.0, ge=0, le=300)
    """Mean number of inelastic collisions overlaid on an event; it is Poisson distributed."""
    pool: int = Field(default=3000, ge=10)
    """Inelastic collisions in the pool that pileup is drawn from. Each use is rotated in phi, may
    be mirrored in eta, and has a place of its own along the beam."""
    shard: int = Field(default=100, ge=1)
    """Events of a shard."""
    w_pt_hat_min: float = Field(default=30.0, ge=1.0)
    """Smallest transverse momentum of the W boson's hard scatter [GeV]."""
    beam_spot_mm: float = Field(default=45.0, ge=0)
    """Standard deviation of the collisions' places along the beam [mm]."""
    detector: Phase2Settings = Phase2Settings()
    """Detector simulation."""
    puppi: PuppiSettings = PuppiSettings()
    """Parameters of the PUPPI weights that are recorded."""
