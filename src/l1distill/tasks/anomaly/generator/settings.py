"""What a user may change about generation."""

from typing import Literal

from pydantic import Field

from l1distill.core.settings import Settings


class DetectorSettings(Settings):
    """Acceptance and thresholds of the fast detector simulation.

    The defaults are those of the CMS card with pileup that Delphes ships
    (``delphes_card_CMS_PileUp.tcl``), the card that the public data set names, but for two. Jets
    have the radius 0.4 instead of 0.5, as CMS uses it at 13 TeV. Leptons are identified from 3 GeV
    instead of 10: with 10, two of three A -> 4l events lose half of their leptons, and an
    autoencoder finds this signal less often than LQ -> b tau (AUC 0.80 against 0.85, with 3 GeV
    0.88 against 0.86; published 0.96 against 0.95). Smearing and efficiency formulas stand beside
    their code.

    Attributes:
        electron_eta_max: Tracker acceptance for electrons.
        muon_eta_max: Acceptance for muons.
        lepton_pt_min: No lepton is identified below this pT [GeV].
        isolation_radius: Cone in which activity around a lepton is summed.
        electron_isolation_max: Largest activity in the cone, relative to the electron's pT.
        muon_isolation_max: The same for muons.
        jet_radius: Radius of the anti-kt jets.
        jet_pt_min: Jets below this pT after pileup subtraction are dropped [GeV].
        jet_eta_max: Jets beyond this are dropped, as in the public data set.
    """

    electron_eta_max: float = Field(default=2.5, gt=0, le=3.0)
    muon_eta_max: float = Field(default=2.4, gt=0, le=2.5)
    lepton_pt_min: float = Field(default=3.0, ge=1.0)
    isolation_radius: float = Field(default=0.5, gt=0)
    electron_isolation_max: float = Field(default=0.12, gt=0)
    muon_isolation_max: float = Field(default=0.25, gt=0)
    jet_radius: float = Field(default=0.4, gt=0, lt=1.5)
    jet_pt_min: float = Field(default=20.0, gt=5.0)
    jet_eta_max: float = Field(default=4.0, gt=0, le=4.5)


class FilterSettings(Settings):
    """The lepton filter on reconstructed objects (Govorkova et al., arXiv:2107.02157).

    Attributes:
        electron_pt_min: The leading electron's threshold [GeV].
        electron_eta_max: The leading electron's acceptance.
        muon_pt_min: The leading muon's threshold [GeV].
        muon_eta_max: The leading muon's acceptance.
    """

    electron_pt_min: float = Field(default=23.0, ge=15.0)
    electron_eta_max: float = Field(default=3.0, gt=0)
    muon_pt_min: float = Field(default=23.0, ge=15.0)
    muon_eta_max: float = Field(default=2.1, gt=0)


class GeneratorSettings(Settings):
    """Everything that decides which events come out; two equal records give equal files.

    Attributes:
        seed: The one seed of the data set.
        background: Events of the background mix.
        signal: Events of each signal.
        mpi: Multi-parton interactions of the hard collision: ``overlay`` takes them from a pool
            that PYTHIA filled once (fast), ``full`` has PYTHIA make them for each event (the
            reference, several times slower), ``off`` leaves them out.
        pileup: Mean number of inelastic collisions overlaid.
        pool: Inelastic collisions in the pileup pool; None for half the events asked for,
            between 400 and 20,000. Each use is rotated in phi and may be flipped in eta.
        shard: Events a shard of the quickest process; slower ones get fewer, so that shards
            take about the same time.
        detector: The detector simulation.
        filter: The lepton filter.
    """

    seed: int = Field(default=1, ge=0)
    background: int = Field(default=5000, ge=1)
    signal: int = Field(default=500, ge=1)
    mpi: Literal["overlay", "full", "off"] = "overlay"
    pileup: float = Field(default=20.0, ge=0, le=200)
    pool: int | None = Field(default=None, ge=10)
    shard: int = Field(default=2000, ge=10)
    detector: DetectorSettings = DetectorSettings()
    filter: FilterSettings = FilterSettings()

    @property
    def pool_size(self) -> int:
        """The number of inelastic collisions in the pileup pool."""
        if self.pool is not None:
            return self.pool
        return min(max((self.background + 4 * self.signal) // 2, 400), 20_000)
