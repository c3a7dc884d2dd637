"""Settings of the generator of jets."""

from typing import Literal

from pydantic import Field

from l1distill.core.settings import Settings


class GeneratorSettings(Settings):
    """All that decides which jets are generated; equal settings give equal files."""

    seed: int = Field(default=1, ge=0)
    """Seed of the whole data set."""
    jets_per_class: int = Field(default=12_000, ge=1)
    """Number of H -> bb jets, and of QCD jets."""
    mpi: Literal["full", "off"] = "off"
    """Multi-parton interactions: made by PYTHIA (three times slower), or left out."""
    shard: int = Field(default=2000, ge=10)
    """Jets of a shard."""
    jet_radius: float = Field(default=1.0, gt=0, lt=1.5)
    """Radius parameter of the anti-kt jets."""
    jet_pt_min: float = Field(default=250.0, ge=200)
    """Smallest pT of jets [GeV]."""
    jet_eta_max: float = Field(default=1.9, gt=0, le=2.0)
    """Largest abs(eta) of jets, whose constituents the tracker then sees."""
    b_radius: float = Field(default=0.9, gt=0)
    """Largest distance of both b quarks of the Higgs boson from the axis of a signal jet."""
