"""The numbers of a jet: features, then its hardest constituents one by one."""

from dataclasses import dataclass

FEATURES = {
    "pt": ("pT", "GeV"),
    "eta": ("eta", ""),
    "phi": ("phi", "rad"),
    "mass": ("mass", "GeV"),
    "softdrop_mass": ("soft-drop mass", "GeV"),
    "softdrop_zg": ("soft-drop momentum share z_g", ""),
    "softdrop_rg": ("soft-drop distance R_g", ""),
    "softdrop_pt_share": ("soft-drop pT over pT", ""),
    "tau1": ("1-subjettiness tau_1", ""),
    "tau2": ("2-subjettiness tau_2", ""),
    "tau3": ("3-subjettiness tau_3", ""),
    "tau21": ("tau_2 / tau_1", ""),
    "tau32": ("tau_3 / tau_2", ""),
    "e2": ("energy correlation e_2", ""),
    "c2": ("energy correlation C_2", ""),
    "d2": ("energy correlation D_2", ""),
    "width": ("width, sum of z (Delta R / R)^2", ""),
    "lha": ("Les Houches angularity", ""),
    "ptd": ("pT dispersion", ""),
    "zlogz": ("sum of z log z", ""),
    "constituents": ("constituents", ""),
    "tracks": ("tracks", ""),
    "charged_share": ("charged share of pT", ""),
    "leading_z": ("share of pT of the hardest constituent", ""),
    "subjet1_z": ("share of pT of the first subjet", ""),
    "subjet2_z": ("share of pT of the second subjet", ""),
    "subjet_dr": ("distance of the two subjets", ""),
    "subjet1_mass": ("mass of the first subjet", "GeV"),
    "subjet2_mass": ("mass of the second subjet", "GeV"),
    "d0_significance1": ("largest d0 significance", ""),
    "d0_significance2": ("second largest d0 significance", ""),
    "d0_significance3": ("third largest d0 significance", ""),
    "d0_significance4": ("fourth largest d0 significance", ""),
    "displaced_tracks": ("displaced tracks", ""),
    "displaced_tracks1": ("displaced tracks in the first subjet", ""),
    "displaced_tracks2": ("displaced tracks in the second subjet", ""),
    "displaced_share": ("share of pT in displaced tracks", ""),
    "muon_ptrel": ("pT of the hardest muon relative to the jet axis", "GeV"),
}
"""Name of each feature to what it is, and its unit."""
N_CONSTITUENTS = 16
CONSTITUENT = ("z", "delta_eta", "delta_phi", "d0_significance")
"""Numbers of each constituent: share of pT, distance from the axis [1, rad], signed d0 over its
uncertainty (0 for what has no track)."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What the numbers of a jet are, in their order: features, then constituent by constituent.

    Attributes:
        features: names of the features.
        constituent: names of the numbers of each constituent.
        constituents: how many of them, the hardest first.
    """

    features: tuple[str, ...]
    constituent: tuple[str, ...] = ()
    constituents: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all numbers; those of constituents end in their number, from 1."""
        numbers = range(1, self.constituents + 1)
        return (
            *self.features,
            *(f"{name}_{number}" for number in numbers for name in self.constituent),
        )


GENERATED = Layout(features=tuple(FEATURES), constituent=CONSTITUENT, constituents=N_CONSTITUENTS)
"""The numbers of jets that are generated."""
NAMES = GENERATED.names
"""Names of all their numbers."""
assert len(FEATURES) == 38
