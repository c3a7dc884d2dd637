"""Responses of missing momentum and jets to weights, and their resolutions.

A response is (X - X_gen) / X_gen of one event's missing transverse momentum or of one jet's pT; a
resolution is half the distance of the quartiles of responses (Bal et al., section 3).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import Field

from l1distill.core.settings import Settings
from l1distill.simulation.columns import DetectorObjects, FloatArray, IntArray
from l1distill.simulation.kinematics import pseudorapidity, transverse_momentum
from l1distill.simulation.ragged import rows_of_entries
from l1distill.tasks.pileup.events import Events, Generated
from l1distill.tasks.pileup.puppi import neighbors
from l1distill.tasks.pileup.weights import Weights

QUANTITIES = ("ptmiss", "jet_pt")
"""What responses are measured of."""
_REPLICAS = 200


class ResponseSettings(Settings):
    """Which events and jets responses are measured with."""

    ptmiss_min: float = Field(default=20.0, ge=0)
    """Smallest missing pT of events at generator level [GeV]."""
    gen_jet_pt_min: float = Field(default=20.0, gt=0)
    """Smallest pT of jets at generator level [GeV]."""
    jet_pt_min: float = Field(default=15.0, gt=0)
    """Smallest pT of reconstructed jets [GeV]."""
    jet_radius: float = Field(default=0.4, gt=0, lt=1.5)
    """Radius parameter of the anti-kt jets."""
    match_radius: float = Field(default=0.4, gt=0)
    """A jet at generator level is compared with the nearest reconstructed one within this
    distance."""


@dataclass(frozen=True, kw_only=True)
class Responses:
    """Responses of one quantity under one method.

    Attributes:
        values: (n,) (X - X_gen) / X_gen.
        event: (n,) event that each is of, ascending.
        n_events: events that were looked at.
    """

    values: FloatArray
    event: IntArray
    n_events: int


@dataclass(frozen=True, kw_only=True)
class Resolution:
    """What responses say of a method; errors are standard deviations of a bootstrap over events.

    Attributes:
        resolution: half the distance of the quartiles.
        error: of it.
        bias: median response.
        bias_error: of it.
        corrected: resolution over one plus bias: what a correction of the scale would leave. A low
            scale makes the resolution alone look good.
        corrected_error: of it.
        number: of responses.
    """

    resolution: float
    error: float
    bias: float
    bias_error: float
    corrected: float
    corrected_error: float
    number: int


def missing_momentum(objects: DetectorObjects, weights: FloatArray, n_events: int) -> FloatArray:
    """Compute the missing transverse momentum of each event, (n_events,) [GeV]."""
    px, py = transverse_momentum(weights * objects.pt, objects.phi)
    summed = [np.bincount(objects.event, part, minlength=n_events) for part in (px, py)]
    size: FloatArray = np.hypot(*summed)
    return size


def cluster_jets(
    objects: Generated, weights: FloatArray, n_events: int, radius: float, pt_min: float
) -> DetectorObjects:
    """Cluster weighted four-momenta into anti-kt jets with FastJet (arXiv:1111.6097).

    Args:
        objects: of many events, with energies.
        weights: (n,) what multiplies the four-momentum of each; those of 0 are left out.
        n_events: number of events.
        radius: radius parameter.
        pt_min: smallest pT of jets [GeV].

    Returns:
        The jets, sorted by event.
    """
    import awkward as ak
    import fastjet

    kept = weights > 0
    objects, weights = objects.take(kept), weights[kept]
    counts = np.bincount(objects.event, minlength=n_events)
    px, py = transverse_momentum(objects.pt, objects.phi)
    pz = objects.pt * np.sinh(objects.eta)
    # numbers are rounded in the files: no energy is below the momentum
    energy = np.maximum(objects.energy, objects.pt * np.cosh(objects.eta))
    columns = {"px": px, "py": py, "pz": pz, "E": energy}
    inputs = ak.zip(
        {name: ak.unflatten(weights * value, counts) for name, value in columns.items()}
    )
    fastjet._swig.ClusterSequence.set_fastjet_banner_stream(None)
    definition = fastjet.JetDefinition(fastjet.antikt_algorithm, radius)
    found = fastjet.ClusterSequence(inputs, definition).inclusive_jets(min_pt=pt_min)
    event = np.repeat(np.arange(n_events), ak.to_numpy(ak.num(found.px)))
    px, py, pz = (ak.to_numpy(ak.flatten(found[name])) for name in ("px", "py", "pz"))
    pt = np.hypot(px, py)
    return DetectorObjects(event=event, pt=pt, eta=pseudorapidity(pt, pz), phi=np.arctan2(py, px))


def match(
    generated: DetectorObjects, reconstructed: DetectorObjects, radius: float
) -> tuple[IntArray, IntArray]:
    """Find the nearest reconstructed jet of each generated one.

    Returns:
        Rows of the generated jets that have one within the radius, ascending, and rows of those.
    """
    row, other, distance = neighbors(generated, reconstructed, radius)
    order = np.lexsort((distance, row))
    row, other = row[order], other[order]
    nearest = np.flatnonzero(np.diff(row, prepend=-1) > 0)
    return row[nearest], other[nearest]


def measure_responses(
    batches: Iterable[Events], methods: Mapping[str, Weights], settings: ResponseSettings
) -> dict[str, dict[str, Responses]]:
    """Measure the responses of methods on the same events, a batch at a time.

    Args:
        batches: of events.
        methods: name to the weights of particles.
        settings: Selection and jets.

    Returns:
        ``ptmiss`` and ``jet_pt``, each by method.
    """
    parts = [_measure(events, methods, settings) for events in batches]
    return {
        quantity: {name: join([part[quantity][name] for part in parts]) for name in methods}
        for quantity in QUANTITIES
    }


def join(parts: Sequence[Responses]) -> Responses:
    """Join the responses of events that follow one another."""
    first = np.cumsum([0, *(part.n_events for part in parts)])
    moved = [part.event + start for part, start in zip(parts, first[:-1], strict=True)]
    return Responses(
        values=np.concatenate([np.zeros(0), *(part.values for part in parts)]),
        event=np.concatenate([np.zeros(0, np.int64), *moved]),
        n_events=int(first[-1]),
    )


def _measure(
    events: Events, methods: Mapping[str, Weights], settings: ResponseSettings
) -> dict[str, dict[str, Responses]]:
    """Measure the responses of methods on a batch of events."""
    count, generated, radius = len(events), events.generated, settings.jet_radius
    ones = np.ones(len(generated.event))
    truth = missing_momentum(generated, ones, count)
    chosen = np.flatnonzero(truth > settings.ptmiss_min)
    jets = cluster_jets(generated, ones, count, radius, settings.gen_jet_pt_min)
    found: dict[str, dict[str, Responses]] = {quantity: {} for quantity in QUANTITIES}
    for name, weights_of in methods.items():
        weights = weights_of(events)
        ptmiss = missing_momentum(events.particles, weights, count)
        found["ptmiss"][name] = Responses(
            values=ptmiss[chosen] / truth[chosen] - 1.0, event=chosen, n_events=count
        )
        own_jets = cluster_jets(events.particles, weights, count, radius, settings.jet_pt_min)
        row, other = match(jets, own_jets, settings.match_radius)
        found["jet_pt"][name] = Responses(
            values=own_jets.pt[other] / jets.pt[row] - 1.0, event=jets.event[row], n_events=count
        )
    return found


def summarize(responses: Responses, seed: int = 0) -> Resolution:
    """Compute resolution, bias and corrected resolution; NaN without a response.

    Args:
        responses: of one method.
        seed: of the bootstrap.
    """
    if not len(responses.values):
        nan = float("nan")
        return Resolution(
            resolution=nan,
            error=nan,
            bias=nan,
            bias_error=nan,
            corrected=nan,
            corrected_error=nan,
            number=0,
        )
    value = _statistics(responses.values)
    with np.errstate(invalid="ignore"):
        error = np.nanstd(_replicas(responses, seed), axis=0)
    return Resolution(
        resolution=float(value[0]),
        error=float(error[0]),
        bias=float(value[1]),
        bias_error=float(error[1]),
        corrected=float(value[2]),
        corrected_error=float(error[2]),
        number=len(responses.values),
    )


def spread(responses: Responses) -> float:
    """Compute the mean distance of responses from their median, over one plus the median.

    All responses count, so that with few jets it scatters less than the distance of the quartiles;
    NaN without a response.
    """
    if not len(responses.values):
        return float("nan")
    median = np.median(responses.values)
    return float(np.mean(np.abs(responses.values - median)) / (1.0 + median))


def ratio(ours: Responses, theirs: Responses, seed: int = 0) -> tuple[float, float]:
    """Compute the ratio of two resolutions on the same events, and its error.

    Both are resampled alike, so that what they have in common cancels.

    Raises:
        ValueError: they are of different numbers of events.
    """
    if ours.n_events != theirs.n_events:
        raise ValueError(f"responses of {ours.n_events} and of {theirs.n_events} events")
    value = _statistics(ours.values)[0] / _statistics(theirs.values)[0]
    replicas = _replicas(ours, seed)[:, 0] / _replicas(theirs, seed)[:, 0]
    return float(value), float(np.nanstd(replicas))


def _statistics(values: FloatArray) -> FloatArray:
    """Return resolution, median and corrected resolution of responses."""
    if not len(values):
        return np.full(3, np.nan)
    low, median, high = np.quantile(values, (0.25, 0.5, 0.75))
    half = (high - low) / 2
    return np.array([half, median, half / (1.0 + median)])


def _replicas(responses: Responses, seed: int) -> FloatArray:
    """Return the statistics of resampled events, (replicas, 3)."""
    rng = np.random.default_rng(seed)
    first = np.searchsorted(responses.event, np.arange(responses.n_events + 1))
    rows = []
    for _ in range(_REPLICAS):
        drawn = rng.integers(responses.n_events, size=responses.n_events)
        row, _ = rows_of_entries(first, drawn)
        rows.append(_statistics(responses.values[row]))
    return np.stack(rows)
