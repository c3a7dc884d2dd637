"""A student's inputs: the numbers of a particle, each with a range that holds it."""

import difflib

from l1distill.core.errors import ConfigError
from l1distill.data.encoding import Feature, InputEncoding
from l1distill.tasks.pileup.events import IDS
from l1distill.tasks.pileup.particles import D0_MM, DZ_MM, NUMBERS
from l1distill.tasks.pileup.settings import PileupInputSettings


def _feature(
    name: str,
    unit: str,
    scale: float,
    limit: float,
    *,
    signed: bool = True,
    step: float | None = None,
) -> Feature:
    return Feature(name=name, unit=unit, scale=scale, range=limit, signed=signed, step=step)


FEATURES = dict(
    zip(
        NUMBERS,
        (
            _feature("eta", "", 4.0, 4.0),
            _feature("phi", "rad", 4.0, 4.0),
            _feature("logarithm of pT in GeV", "", 2.0, 8.0),
            _feature("logarithm of energy in GeV", "", 2.0, 8.0),
            _feature(f"asinh(d0 / {D0_MM:g} mm)", "", 4.0, 8.0),
            _feature(f"asinh(dz / {DZ_MM:g} mm)", "", 4.0, 8.0),
            # beyond 1, so that a weight of 1 is not cut to the step below
            _feature("PUPPI weight", "", 1.0, 2.0, signed=False),
            _feature("charge", "", 1.0, 2.0, step=1.0),
            *(_feature(f"is {name}", "", 1.0, 2.0, signed=False, step=1.0) for name in IDS),
        ),
        strict=True,
    )
)
"""The numbers of :data:`.particles.NUMBERS` as inputs, fixed: nothing of them is measured."""


def choose_features(settings: PileupInputSettings) -> InputEncoding:
    """Return the encoding of the chosen numbers.

    Raises:
        ConfigError: there is no number of a name, or it is given twice.
    """
    chosen = list(settings.names) or list(NUMBERS)
    for name in chosen:
        if name not in NUMBERS:
            near = difflib.get_close_matches(name, NUMBERS, n=1, cutoff=0.0)[0]
            raise ConfigError(
                f"student.inputs.names: no number of the name {name!r}; did you mean {near}?"
            )
        if chosen.count(name) > 1:
            raise ConfigError(f"student.inputs.names: {name} is given twice")
    return InputEncoding(
        shape=[len(NUMBERS)],
        features=[FEATURES[name] for name in chosen],
        positions=[NUMBERS.index(name) for name in chosen] if settings.names else [],
    )
