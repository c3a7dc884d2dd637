"""Settings of the readers of files of events."""

import re
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator

from l1distill.core.settings import Settings
from l1distill.simulation.settings import DetectorSettings
from l1distill.tasks.anomaly.generator.settings import LeptonFilterSettings

_DETECTOR = DetectorSettings()
_SAMPLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


def _as_list(paths: object) -> object:
    return [paths] if isinstance(paths, str) else paths


Paths = Annotated[list[str], BeforeValidator(_as_list), Field(min_length=1)]
"""One path, URL or glob, or a list of them."""


class SampleFiles(Settings):
    """What the readers of foreign files have in common."""

    background: Paths | None = None
    """Files of the background: a path, URL or glob, or a list of them."""
    signals: dict[str, Paths | None] = Field(default={})
    """Files of each signal, by its name; null leaves the signal out."""
    pt_unit: Literal["GeV", "MeV"] = "GeV"
    """Unit of pT in the files."""
    limit: int | None = Field(default=None, ge=1)
    """Largest number of events read of a sample, from its first file on; null for all."""
    chunk: int = Field(default=65_536, ge=1)
    """Events in memory at a time."""

    @field_validator("signals")
    @classmethod
    def _names_of_files(cls, signals: dict[str, list[str] | None]) -> dict[str, list[str] | None]:
        for name in signals:
            if name == "background" or not _SAMPLE.fullmatch(name):
                raise ValueError(
                    f"{name!r} cannot name a signal; take letters, digits, _ and -, "
                    "and another word than background"
                )
        return signals

    @property
    def lacking(self) -> str | None:
        """The error message while nothing is named that could be read, else None."""
        if self.background is not None:
            return None
        return (
            "data.files.background: give it a file, for example "
            "data.files.background=/path/background_for_training.h5"
        )

    @property
    def gev(self) -> float:
        """The unit of pT in the files, in GeV."""
        return {"GeV": 1.0, "MeV": 1e-3}[self.pt_unit]


class PublicFiles(SampleFiles):
    """HDF5 files in the public layout (:mod:`l1distill.tasks.anomaly.events`)."""

    reader: Literal["public"] = "public"
    """Format of the files."""


class NanoAodFiles(SampleFiles):
    """CMS NanoAOD files; paths may be URLs (``https://``, ``root://``).

    The defaults are those of the simulated detector, and the loose working points of CMS.
    """

    reader: Literal["nanoaod"] = "nanoaod"
    """Format of the files."""
    tree: str = "Events"
    """Name of the tree of events."""
    met: Literal["auto", "MET", "PuppiMET", "PFMET"] = "auto"
    """Missing transverse energy to read; auto for the first of PuppiMET, MET and PFMET (the name
    of MET from NanoAOD v15 on) that the files have."""
    absent_collections: list[Literal["Electron", "Muon", "Jet"]] = Field(default=[])
    """Collections that files may lack; one that a file lacks is empty in all of them."""
    electron_eta_max: float = Field(default=_DETECTOR.electron_eta_max, gt=0)
    """Largest abs(eta) of electrons."""
    muon_eta_max: float = Field(default=_DETECTOR.muon_eta_max, gt=0)
    """Largest abs(eta) of muons."""
    lepton_pt_min: float = Field(default=_DETECTOR.lepton_pt_min, ge=0)
    """Smallest pT of electrons and muons [GeV]."""
    electron_cut_based_min: int | None = Field(default=2, ge=1, le=4)
    """Smallest ``Electron_cutBased`` (1 veto, 2 loose, 3 medium, 4 tight); null to not ask."""
    muon_loose_id: bool = True
    """Whether muons have to pass ``Muon_looseId``."""
    muon_isolation_max: float | None = Field(default=_DETECTOR.muon_isolation_max, gt=0)
    """Largest ``Muon_pfRelIso04_all``; null to not ask."""
    jet_pt_min: float = Field(default=_DETECTOR.jet_pt_min, ge=0)
    """Smallest pT of jets [GeV]."""
    jet_eta_max: float = Field(default=_DETECTOR.jet_eta_max, gt=0)
    """Largest abs(eta) of jets."""
    jet_lepton_radius: float = Field(default=_DETECTOR.jet_radius, ge=0)
    """Jets within this Delta R of a selected lepton are dropped."""
    filter: LeptonFilterSettings | None = LeptonFilterSettings()
    """Lepton filter; null to keep all events."""


class OwnFolders(Settings):
    """Data sets of this platform; samples of the same name are concatenated."""

    reader: Literal["own"] = "own"
    """Format of the files."""
    folders: list[str] = Field(default=[])
    """Folders of the data sets, each with its card."""

    @property
    def lacking(self) -> str | None:
        """The error message while nothing is named that could be read, else None."""
        if self.folders:
            return None
        return (
            "data.files.folders: give it data sets, for example data.files.folders=[data/anomaly]"
        )


EventFiles = Annotated[PublicFiles | NanoAodFiles | OwnFolders, Field(discriminator="reader")]
"""Settings of any reader, by the value of ``reader``."""
