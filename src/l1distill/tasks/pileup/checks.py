"""Cross-checks of events with pileup: multiplicities, vertices, PUPPI weights, resolutions."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from l1distill.core.progress import Advance
from l1distill.simulation.columns import FloatArray, IntArray
from l1distill.tasks.pileup.events import Events
from l1distill.tasks.pileup.responses import (
    Responses,
    ResponseSettings,
    measure_responses,
    summarize,
)
from l1distill.tasks.pileup.weights import classical_weights

EVENTS_CHECKED = 500
"""Events of the test sample that the checks are made with, at most."""
EXPECTATIONS = {
    "particles_per_event": "2,700 with 60 pileup collisions, 6,050 with 140 (prototype); "
    "at most 9,000 in the published files",
    "merged_share": "share of particles with a hard fraction between 0 and 1: about 0.02",
    "dz_hard_mm": "half the distance of the quartiles of dz of hard tracks above 2 GeV in the "
    "barrel: 0.02 to 0.04",
    "dz_pileup_mm": "the same of pileup tracks: 0.67 times sqrt(2) times the beam spot",
    "puppi_neutral_hard": "mean PUPPI weight of neutral particles of the hard collision, by pT: "
    "near 1",
    "puppi_neutral_pileup": "the same of pileup: near 0",
    **{
        f"resolution/{quantity}/{name}": words
        for quantity, row in {
            "ptmiss": ("0.28", "0.24", "0.18", "0.06"),
            "jet_pt": ("0.22", "0.10", "0.06", "0.02"),
        }.items()
        for name, words in zip(("none", "chs", "puppi", "truth"), row, strict=True)
    },
}
"""What a physicist compares the checks of the data card with; resolutions at pileup 60, of a
prototype."""


@dataclass(frozen=True, kw_only=True)
class Looked:
    """What checks and pictures are made of, collected from a stream of events.

    Attributes:
        particles: (n,) particles of each event.
        pileup: (n,) pileup collisions of each event.
        merged: particles with a hard fraction between 0 and 1.
        dz: dz [mm] of tracks above 2 GeV in the barrel, of the hard collision and of pileup.
        neutral: PUPPI weights of neutral particles above 1 GeV, of the hard collision and of
            pileup.
        neutral_pt: their pT [GeV].
        first: the first event.
        responses: of the methods without training, see :func:`.responses.measure_responses`.
    """

    particles: IntArray
    pileup: IntArray
    merged: int
    dz: dict[str, FloatArray]
    neutral: dict[str, FloatArray]
    neutral_pt: dict[str, FloatArray]
    first: Events
    responses: dict[str, dict[str, Responses]]


@dataclass
class _Collected:
    particles: list[IntArray] = field(default_factory=list)
    pileup: list[FloatArray] = field(default_factory=list)
    merged: int = 0
    dz: dict[str, list[FloatArray]] = field(default_factory=lambda: {"hard": [], "pileup": []})
    neutral: dict[str, list[FloatArray]] = field(default_factory=lambda: {"hard": [], "pileup": []})
    pt: dict[str, list[FloatArray]] = field(default_factory=lambda: {"hard": [], "pileup": []})
    first: list[Events] = field(default_factory=list)


def look(
    batches: Iterable[Events],
    window_mm: float,
    settings: ResponseSettings,
    advance: Advance | None = None,
) -> Looked:
    """Go through events once; at least one.

    Args:
        batches: of events.
        window_mm: of charged hadron subtraction, see :class:`.puppi.PuppiSettings`.
        settings: of the responses.
        advance: told how many events are done.
    """
    collected = _Collected()

    def passing() -> Iterable[Events]:
        for events in batches:
            _collect(events, collected)
            yield events
            if advance is not None:
                advance(len(events))

    responses = measure_responses(passing(), classical_weights(window_mm), settings)
    return Looked(
        particles=np.concatenate(collected.particles),
        pileup=np.concatenate(collected.pileup),
        merged=collected.merged,
        dz={name: np.concatenate(parts) for name, parts in collected.dz.items()},
        neutral={name: np.concatenate(parts) for name, parts in collected.neutral.items()},
        neutral_pt={name: np.concatenate(parts) for name, parts in collected.pt.items()},
        first=collected.first[0],
        responses=responses,
    )


def _collect(events: Events, collected: _Collected) -> None:
    particles = events.particles
    if not collected.first:
        kept = np.arange(len(events)) == 0
        collected.first.append(events.select(kept))
    collected.particles.append(np.bincount(particles.event, minlength=len(events)))
    collected.pileup.append(events.numbers[:, 0])
    fraction = particles.hard_fraction
    collected.merged += int(((fraction > 0) & (fraction < 1)).sum())
    tracks = (particles.charge != 0) & (particles.pt > 2.0) & (np.abs(particles.eta) < 1.5)
    neutral = (particles.charge == 0) & (particles.pt > 1.0)
    for name, chosen in (("hard", fraction > 0.9), ("pileup", fraction < 0.1)):
        collected.dz[name].append(particles.dz[tracks & chosen])
        collected.neutral[name].append(particles.puppi[neutral & chosen])
        collected.pt[name].append(particles.pt[neutral & chosen])


def check(looked: Looked) -> dict[str, float]:
    """Compute the cross-checks; names end in their unit."""
    values = {
        "particles_per_event": float(looked.particles.mean()),
        "particles_per_event_max": float(looked.particles.max()),
        "merged_share": looked.merged / max(int(looked.particles.sum()), 1),
    }
    for name in ("hard", "pileup"):
        if len(looked.dz[name]):
            low, high = np.quantile(looked.dz[name], (0.25, 0.75))
            values[f"dz_{name}_mm"] = float(high - low) / 2
        if len(looked.neutral[name]):
            weights = np.average(looked.neutral[name], weights=looked.neutral_pt[name])
            values[f"puppi_neutral_{name}"] = float(weights)
    for quantity, methods in looked.responses.items():
        for name, responses in methods.items():
            summary = summarize(responses)
            values[f"resolution/{quantity}/{name}"] = summary.resolution
            values[f"resolution_error/{quantity}/{name}"] = summary.error
            values[f"bias/{quantity}/{name}"] = summary.bias
    return {name: round(value, 4) for name, value in values.items() if np.isfinite(value)}
