"""The numbers of a jet: 38 features, and its 16 hardest constituents."""

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
NAMES = (
    *FEATURES,
    *(f"{name}_{number}" for number in range(1, N_CONSTITUENTS + 1) for name in CONSTITUENT),
)
"""Names of all numbers of a jet, in their order: features, then constituent by constituent."""
assert len(FEATURES) == 38
