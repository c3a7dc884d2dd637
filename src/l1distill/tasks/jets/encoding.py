"""A student's inputs: chosen numbers of a jet, in units of powers of two."""

import difflib
import math

from l1distill.core.errors import ConfigError
from l1distill.data.encoding import Feature, InputEncoding
from l1distill.tasks.jets.features import FEATURES
from l1distill.tasks.jets.settings import JetsInputSettings
from l1distill.tasks.jets.statistics import Statistics

_MARGIN = 1.02
"""How far the range of an input is beyond the magnitude that one jet in a thousand exceeds. Shares
of pT pile up at 1: with a range of 1 half of them would be cut to the step below."""
_LABELS = {
    "z": "share of pT of constituent",
    "delta_eta": "eta from the axis of constituent",
    "delta_phi": "phi from the axis of constituent",
    "d0_significance": "d0 significance of constituent",
}


def fit_encoding(statistics: Statistics, settings: JetsInputSettings) -> InputEncoding:
    """Choose numbers, the unit of each nearest to its deviation, and a range that holds it.

    Raises:
        ConfigError: there is no number of a name, or it is given twice.
    """
    of_features = len(statistics.features)
    names = list(statistics.names)
    known = names[:of_features] if settings.inputs == "features" else names[of_features:]
    if not known:
        raise ConfigError(
            f"student.inputs.inputs={settings.inputs}: the data has none; take features, or read "
            "constituents with data.files.constituents"
        )
    chosen = list(settings.names) or known
    for name in chosen:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
            raise ConfigError(
                f"student.inputs.names: no {settings.inputs} of the name {name!r}; "
                f"did you mean {near}?"
            )
        if chosen.count(name) > 1:
            raise ConfigError(f"student.inputs.names: {name} is given twice")
    positions = [names.index(name) for name in chosen]
    pairs = zip(chosen, positions, strict=True)
    return InputEncoding(
        shape=[len(names)],
        features=[_feature(name, at, statistics) for name, at in pairs],
        positions=positions,
    )


def _feature(name: str, at: int, statistics: Statistics) -> Feature:
    words, unit = FEATURES.get(name, (name, ""))
    kind, _, number = name.rpartition("_")
    if at >= len(statistics.features) and kind in _LABELS:
        words, unit = f"{_LABELS[kind]} {number}", "rad" if kind == "delta_phi" else ""
    scale = 2.0 ** round(math.log2(statistics.std[at]))
    largest = statistics.largest[at] * _MARGIN  # an input ends one step below its range
    steps = math.ceil(math.log2(max(largest / scale, 1.0)))
    return Feature(
        name=words, unit=unit, scale=scale, range=scale * 2.0**steps, signed=statistics.signed[at]
    )
