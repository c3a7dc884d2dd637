"""What a user may say about files of events."""

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
    """What the readers of foreign files have in common.

    Attributes:
        background: Files of the background.
        signals: Signal to its files; null leaves it out.
        pt_unit: What pT is in.
        limit: Read no more events of a sample than this, from its first file on.
        chunk: Events in memory at a time.
    """

    background: Paths | None = None
    signals: dict[str, Paths | None] = Field(default={})
    pt_unit: Literal["GeV", "MeV"] = "GeV"
    limit: int | None = Field(default=None, ge=1)
    chunk: int = Field(default=65_536, ge=1)

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
        """Says what is to be named before anything can be read."""
        if self.background is not None:
            return None
        return (
            "data.files.background: give it a file, for example "
            "data.files.background=/path/background_for_training.h5"
        )

    @property
    def gev(self) -> float:
        """The unit of pT [GeV]."""
        return {"GeV": 1.0, "MeV": 1e-3}[self.pt_unit]


class PublicFiles(SampleFiles):
    """HDF5 files in the public layout (:mod:`l1distill.tasks.anomaly.events`)."""

    reader: Literal["public"]


class NanoAodFiles(SampleFiles):
    """CMS NanoAOD files; paths may be URLs (``https://``, ``root://``).

    The defaults are those of the simulated detector, and the loose working points of CMS.

    Attributes:
        tree: The tree of events.
        met: Which missing transverse energy; auto: PuppiMET if the files have it, else MET.
        electron_eta_max: Electrons beyond are dropped.
        muon_eta_max: Muons beyond are dropped.
        lepton_pt_min: Leptons below are dropped [GeV].
        electron_cut_based_min: Least ``Electron_cutBased`` (1 veto, 2 loose, 3 medium, 4 tight);
            null: not asked for.
        muon_loose_id: Ask for ``Muon_looseId``.
        muon_isolation_max: ``Muon_pfRelIso04_all`` must be below this; null: not asked for.
        jet_pt_min: Jets below are dropped [GeV].
        jet_eta_max: Jets beyond are dropped.
        jet_lepton_radius: Jets this near to a kept lepton are dropped.
        filter: The lepton filter; null: keep all events.
    """

    reader: Literal["nanoaod"]
    tree: str = "Events"
    met: Literal["auto", "MET", "PuppiMET"] = "auto"
    electron_eta_max: float = Field(default=_DETECTOR.electron_eta_max, gt=0)
    muon_eta_max: float = Field(default=_DETECTOR.muon_eta_max, gt=0)
    lepton_pt_min: float = Field(default=_DETECTOR.lepton_pt_min, ge=0)
    electron_cut_based_min: int | None = Field(default=2, ge=1, le=4)
    muon_loose_id: bool = True
    muon_isolation_max: float | None = Field(default=_DETECTOR.muon_isolation_max, gt=0)
    jet_pt_min: float = Field(default=_DETECTOR.jet_pt_min, ge=0)
    jet_eta_max: float = Field(default=_DETECTOR.jet_eta_max, gt=0)
    jet_lepton_radius: float = Field(default=_DETECTOR.jet_radius, ge=0)
    filter: LeptonFilterSettings | None = LeptonFilterSettings()


class OwnFolders(Settings):
    """Data sets of this platform; samples of the same name are put one behind the other.

    Attributes:
        folders: The folders of the data sets, each with its card.
    """

    reader: Literal["own"]
    folders: list[str] = Field(default=[])

    @property
    def lacking(self) -> str | None:
        """Says what is to be named before anything can be read."""
        if self.folders:
            return None
        return (
            "data.files.folders: give it data sets, for example data.files.folders=[data/anomaly]"
        )


EventFiles = Annotated[PublicFiles | NanoAodFiles | OwnFolders, Field(discriminator="reader")]
"""Any of them, told apart by ``reader``."""
