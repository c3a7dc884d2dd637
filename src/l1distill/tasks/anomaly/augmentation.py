"""Pseudo-events: background events made unlike the background, for a teacher to label.

A student that learns from background alone never sees many leptons, and says little of them. Its
teacher can be asked about any event, and none of a signal is needed.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from l1distill.tasks.anomaly.events import ELECTRONS, JETS, MET, MUONS
from l1distill.tasks.settings import AugmentationSettings

KINDS = {"electrons": ELECTRONS, "muons": MUONS, "jets": JETS}
_BLOCK = 32_768
"""Pseudo-events that are made at a time: 60 MB, whatever the size of the sample."""

MULTIPLICITY = 3
"""Leptons or jets of an event, at least, that make it unlike the background."""

Share = Annotated[float, Field(ge=0, le=1)]
Objects = NDArray[np.float32]


class PseudoEventSettings(AugmentationSettings):
    """How a background event is changed; mirrors ``conf/augmentation/anomaly.yaml``."""

    overlaid: Share = 0.2
    """Share of the pseudo-events that are two or three events on top of one another."""
    added_max: int = Field(default=3, ge=0, le=10)
    """Objects that are added: electrons, muons and jets of other events, zero to so many."""
    added_power: tuple[float, float] = (0.3, 1.3)
    """Range of p: an added object has threshold x (pT / threshold)^p."""
    pt_spread: float = Field(default=0.25, ge=0, le=2)
    """All pT of an event are multiplied by exp(spread x N), with N of a unit Gaussian."""
    rotated: bool = True
    """Whether events are turned in phi and mirrored in eta and in phi."""

    @field_validator("added_power")
    @classmethod
    def _in_order(cls, power: tuple[float, float]) -> tuple[float, float]:
        low, high = power
        if not 0.0 <= low <= high <= 5.0:
            raise ValueError("give two numbers from 0 to 5, the smaller one first")
        return power


def pseudo_events(
    events: Objects, number: int, settings: PseudoEventSettings, rng: np.random.Generator
) -> Objects:
    """Make pseudo-events.

    An object keeps its place in the format: groups are sorted by falling pT and cut at four
    electrons, four muons and ten jets. What falls below the smallest pT that its kind has in
    ``events`` is dropped, as a trigger would. The MET of overlaid events is the sum of their
    vectors; objects that are added leave it as it is.

    Args:
        events: (n, 19, 3) pT [GeV], eta, phi [rad] of real events; used equally often.
        number: of the pseudo-events.
        settings: what is done to them.
        rng: random numbers.

    Returns:
        (number, 19, 3).

    """
    source = rng.permutation(len(events))[np.arange(number) % len(events)]
    thresholds = _thresholds(events)
    pools = {name: _present(events, name) for name in thresholds}
    blocks = [
        _block(events, source[start : start + _BLOCK], thresholds, pools, settings, rng)
        for start in range(0, number, _BLOCK)
    ]
    return np.concatenate(blocks) if blocks else events[:0]


def topologies(events: Objects) -> dict[str, NDArray[np.bool_]]:
    """Return which events (n, 19, 3) have three leptons or more, and which three jets or more."""
    there = {name: (events[:, kind, 0] > 0).sum(axis=1) for name, kind in KINDS.items()}
    return {
        "leptons": there["electrons"] + there["muons"] >= MULTIPLICITY,
        "jets": there["jets"] >= MULTIPLICITY,
    }


def _thresholds(events: Objects) -> dict[str, np.float32]:
    """Return the smallest pT of each kind of object that there is."""
    pt = {name: _present(events, name)[:, 0] for name in KINDS}
    return {name: values.min() for name, values in pt.items() if len(values)}


def _present(events: Objects, name: str) -> Objects:
    """Return all objects of a kind, (objects, 3)."""
    objects = events[:, KINDS[name]]
    return objects[objects[..., 0] > 0]


def _block(
    events: Objects,
    source: NDArray[np.int64],
    thresholds: Mapping[str, np.float32],
    pools: Mapping[str, Objects],
    settings: PseudoEventSettings,
    rng: np.random.Generator,
) -> Objects:
    number = len(source)
    stacked = [events[source], *_overlaid(events, number, settings, rng)]
    extra = _added(number, thresholds, pools, settings, rng)
    scale = np.exp(settings.pt_spread * rng.standard_normal((number, 1)))
    made = np.zeros((number, *events.shape[1:]), np.float32)
    made[:, MET] = _vector_sum([event[:, MET] for event in stacked])
    made[:, MET, :1] *= scale
    for name, threshold in thresholds.items():
        kind = KINDS[name]
        objects = np.concatenate([event[:, kind] for event in stacked] + extra[name], axis=1)
        objects[..., 0] *= scale
        objects[objects[..., 0] < threshold] = 0.0
        order = np.argsort(-objects[..., 0], axis=1, kind="stable")[:, : kind.stop - kind.start]
        made[:, kind] = np.take_along_axis(objects, order[..., None], axis=1)
    if settings.rotated:
        _rotate(made, rng)
    return made


def _overlaid(
    events: Objects, number: int, settings: PseudoEventSettings, rng: np.random.Generator
) -> Iterator[Objects]:
    """Yield the second and the third event, all zero where there is none."""
    if not settings.overlaid:
        return
    further = np.where(rng.random(number) < settings.overlaid, rng.integers(1, 3, number), 0)
    for place in (1, 2):
        there = (further >= place)[:, None, None]
        yield events[rng.integers(len(events), size=number)] * there


def _added(
    number: int,
    thresholds: Mapping[str, np.float32],
    pools: Mapping[str, Objects],
    settings: PseudoEventSettings,
    rng: np.random.Generator,
) -> dict[str, list[Objects]]:
    """Return of each kind the objects that are added, (number, 1, 3) each, zero if absent."""
    added: dict[str, list[Objects]] = {name: [] for name in thresholds}
    count = rng.integers(0, settings.added_max + 1, number)
    for place in range(settings.added_max):
        chosen = rng.integers(max(len(pools), 1), size=number)
        for index, (name, pool) in enumerate(pools.items()):
            objects = pool[rng.integers(len(pool), size=number)]
            power = rng.uniform(*settings.added_power, number)
            objects[:, 0] = thresholds[name] * (objects[:, 0] / thresholds[name]) ** power
            objects[:, 2] = rng.uniform(-np.pi, np.pi, number)
            objects[(place >= count) | (chosen != index)] = 0.0
            added[name].append(objects[:, None])
    return added


def _vector_sum(vectors: list[Objects]) -> NDArray[np.floating[Any]]:
    """Add transverse vectors (n, 3) of pT, eta and phi; eta is 0, as that of MET."""
    if len(vectors) == 1:
        return vectors[0]
    x = np.sum([vector[:, 0] * np.cos(vector[:, 2]) for vector in vectors], axis=0)
    y = np.sum([vector[:, 0] * np.sin(vector[:, 2]) for vector in vectors], axis=0)
    return np.stack([np.hypot(x, y), np.zeros_like(x), np.arctan2(y, x)], axis=1)


def _rotate(events: Objects, rng: np.random.Generator) -> None:
    """Turn events in phi and mirror them, in place."""
    number, there = len(events), events[..., 0] > 0
    angle = rng.uniform(-np.pi, np.pi, (number, 1))
    mirrored = rng.choice(np.array([-1.0, 1.0], np.float32), (2, number, 1))
    phi = mirrored[0] * events[..., 2] + angle
    events[..., 1] *= mirrored[1]
    events[..., 2] = np.where(there, np.remainder(phi + np.pi, 2 * np.pi) - np.pi, 0.0)
