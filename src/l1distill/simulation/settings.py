"""Settings of the detector simulation, for any task."""

from pydantic import Field

from l1distill.core.settings import Settings


class DetectorSettings(Settings):
    """Acceptance and thresholds of the fast detector simulation.

    The defaults are those of the CMS card with pileup that Delphes ships
    (``delphes_card_CMS_PileUp.tcl``), the card that the public data set names, but for two. Jets
    have the radius 0.4 instead of 0.5, as CMS uses it at 13 TeV. Leptons are identified from 3 GeV
    instead of 10: with 10, two of three A -> 4l events lose half of their leptons, and an
    autoencoder finds this signal less often than LQ -> b tau (AUC 0.80 against 0.85, with 3 GeV
    0.88 against 0.86; published 0.96 against 0.95). The formulas of resolutions and efficiencies
    are in :mod:`l1distill.simulation.detector`.
    """

    electron_eta_max: float = Field(default=2.5, gt=0, le=3.0)
    """Largest abs(eta) of electrons."""
    muon_eta_max: float = Field(default=2.4, gt=0, le=2.5)
    """Largest abs(eta) of muons."""
    lepton_pt_min: float = Field(default=3.0, ge=1.0)
    """Smallest pT of identified electrons and muons [GeV]."""
    isolation_radius: float = Field(default=0.5, gt=0)
    """Radius, in eta and phi, of the cone around a lepton in which pT is summed."""
    electron_isolation_max: float = Field(default=0.12, gt=0)
    """Largest pT sum in the cone, relative to the electron's pT."""
    muon_isolation_max: float = Field(default=0.25, gt=0)
    """Largest pT sum in the cone, relative to the muon's pT."""
    jet_radius: float = Field(default=0.4, gt=0, lt=1.5)
    """Radius parameter of the anti-kt jets."""
    jet_pt_min: float = Field(default=20.0, gt=5.0)
    """Smallest pT of jets after pileup subtraction [GeV]."""
    jet_eta_max: float = Field(default=4.0, gt=0, le=4.5)
    """Largest abs(eta) of jets, as in the public data set."""


class Phase2Settings(Settings):
    """Acceptance, thresholds and resolutions of a detector like those of the HL-LHC.

    What depends on pT and eta is in :mod:`l1distill.simulation.phase2`.
    """

    eta_max: float = Field(default=4.0, gt=1.5, le=5.0)
    """Largest abs(eta) of tracks and clusters."""
    track_pt_min: float = Field(default=0.5, ge=0.1)
    """Smallest pT of tracks [GeV]."""
    looper_pt: float = Field(default=0.7, ge=0.0)
    """Untracked charged particles below this pT do not reach the barrel calorimeter [GeV]."""
    central_efficiency: float = Field(default=0.97, ge=0.0, le=1.0)
    """Tracking efficiency of hadrons and electrons for abs(eta) < 2.5."""
    forward_efficiency: float = Field(default=0.92, ge=0.0, le=1.0)
    """The same beyond."""
    muon_efficiency: float = Field(default=0.99, ge=0.0, le=1.0)
    """Tracking efficiency of muons."""
    em_cell: float = Field(default=0.0436, ge=0.01, le=0.5)
    """Size of an electromagnetic cell in eta and phi."""
    had_cell: float = Field(default=0.0873, ge=0.01, le=0.5)
    """Size of a hadronic cell in eta and phi."""
    em_stochastic: tuple[float, float] = (0.03, 0.20)
    """Stochastic term of electromagnetic energies, in the barrel and beyond [sqrt(GeV)]."""
    em_constant: float = Field(default=0.007, ge=0.0)
    """Constant term of electromagnetic energies."""
    had_stochastic: tuple[float, float] = (0.80, 0.60)
    """Stochastic term of hadronic energies, in the barrel and beyond [sqrt(GeV)]."""
    had_constant: float = Field(default=0.05, ge=0.0)
    """Constant term of hadronic energies."""
    em_pt_min: float = Field(default=0.3, ge=0.0)
    """Smallest pT of electromagnetic clusters [GeV]."""
    had_pt_min: float = Field(default=0.7, ge=0.0)
    """Smallest pT of hadronic clusters [GeV]."""
