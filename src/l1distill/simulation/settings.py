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
