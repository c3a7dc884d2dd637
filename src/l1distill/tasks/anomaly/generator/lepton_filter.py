"""The lepton filter of the anomaly data set."""

import numpy as np

from l1distill.simulation.columns import BoolArray
from l1distill.simulation.leptons import Leptons
from l1distill.simulation.particles import ELECTRON
from l1distill.tasks.anomaly.generator.settings import LeptonFilterSettings


def passes_filter(leptons: Leptons, settings: LeptonFilterSettings) -> BoolArray:
    """Return which leptons pass the lepton filter, (n,)."""
    electron = leptons.code == ELECTRON
    pt_min = np.where(electron, settings.electron_pt_min, settings.muon_pt_min)
    eta_max = np.where(electron, settings.electron_eta_max, settings.muon_eta_max)
    # thresholds hold for the stored numbers, which are float32
    pt = leptons.pt.astype(np.float32)
    return (pt > pt_min) & (np.abs(leptons.eta.astype(np.float32)) < eta_max)
