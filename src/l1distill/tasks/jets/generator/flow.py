"""Energy flow of a collision with impact parameters, and the large-radius jets that it forms."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from l1distill.simulation.columns import DetectorObjects, FloatArray, IntArray
from l1distill.simulation.detector import calorimeter_clusters, track_with_source
from l1distill.simulation.kinematics import pseudorapidity, transverse_momentum
from l1distill.simulation.particles import DisplacedParticles

_D0_CONSTANT, _D0_SLOPE = 0.030, 0.120  # [mm], [mm GeV]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow(DetectorObjects):
    """Tracks and calorimeter clusters.

    Attributes:
        code: (n,) absolute PDG code of a track; 0 for a cluster.
        d0: (n,) significance of the transverse impact parameter, its sign that of the
            displacement along (-sin phi, cos phi); 0 for a cluster.
    """

    code: IntArray
    d0: FloatArray


@dataclass(frozen=True, kw_only=True)
class Jets:
    """Jets and their constituents.

    Attributes:
        event: (n,) of each jet.
        pt: (n,) [GeV], calibrated.
        eta: (n,).
        phi: (n,) [rad].
        mass: (n,) [GeV], calibrated.
        scale: (n,) what the four-momentum of the constituents was multiplied by.
        counts: (n,) constituents of each jet.
        rows: (sum of counts,) rows in the flow, jet by jet.
    """

    event: IntArray
    pt: FloatArray
    eta: FloatArray
    phi: FloatArray
    mass: FloatArray
    scale: FloatArray
    counts: IntArray
    rows: IntArray

    def take(self, kept: Any) -> "Jets":
        """Keep the jets of a mask (n,)."""
        of_row = np.repeat(kept, self.counts)
        return Jets(
            event=self.event[kept],
            pt=self.pt[kept],
            eta=self.eta[kept],
            phi=self.phi[kept],
            mass=self.mass[kept],
            scale=self.scale[kept],
            counts=self.counts[kept],
            rows=self.rows[of_row],
        )


def measure_flow(particles: DisplacedParticles, n_events: int, rng: np.random.Generator) -> Flow:
    """Simulate the detector; impact parameters are smeared by 30 um and 120 um GeV / pT."""
    tracks, deposits, source = track_with_source(particles, rng)
    direction_x, direction_y = np.cos(tracks.phi), np.sin(tracks.phi)
    sigma = np.hypot(_D0_CONSTANT, _D0_SLOPE / np.maximum(tracks.pt, 0.1))
    distance = particles.y[source] * direction_x - particles.x[source] * direction_y
    clusters = calorimeter_clusters(deposits, n_events, rng)
    none = np.zeros(len(clusters.event))
    return Flow.merge(
        Flow(
            event=tracks.event,
            pt=tracks.pt,
            eta=tracks.eta,
            phi=tracks.phi,
            code=tracks.code,
            d0=distance / sigma + rng.standard_normal(len(sigma)),
        ),
        Flow(
            event=clusters.event,
            pt=clusters.pt,
            eta=clusters.eta,
            phi=clusters.phi,
            code=none.astype(np.int64),
            d0=none,
        ),
    )


def four_momenta(flow: DetectorObjects, counts: IntArray, energy: FloatArray | None = None) -> Any:
    """Return four-momenta as FastJet takes them, an awkward array of lists; massless by default."""
    import awkward as ak

    px, py = transverse_momentum(flow.pt, flow.phi)
    pz = flow.pt * np.sinh(flow.eta)
    energy = flow.pt * np.cosh(flow.eta) if energy is None else energy
    columns = {"px": px, "py": py, "pz": pz, "E": energy}
    return ak.zip({name: ak.unflatten(value, counts) for name, value in columns.items()})


def find_jets(
    flow: DetectorObjects,
    n_events: int,
    radius: float,
    pt_min: float,
    eta_max: float,
    energy: FloatArray | None = None,
) -> Jets:
    """Cluster anti-kt jets with FastJet (arXiv:1111.6097); at least three constituents each.

    Args:
        flow: what is clustered, sorted by event.
        n_events: number of events.
        radius: of the jets.
        pt_min: smallest pT of the jets, not calibrated [GeV].
        eta_max: largest abs(eta).
        energy: (n,) of the flow [GeV]; None for massless objects.
    """
    import awkward as ak
    import fastjet

    counts = np.bincount(flow.event, minlength=n_events)
    fastjet._swig.ClusterSequence.set_fastjet_banner_stream(None)
    definition = fastjet.JetDefinition(fastjet.antikt_algorithm, radius)
    sequence = fastjet.ClusterSequence(four_momenta(flow, counts, energy), definition)
    found, inside = (
        sequence.inclusive_jets(min_pt=pt_min),
        sequence.constituent_index(min_pt=pt_min),
    )
    event = np.repeat(np.arange(n_events), ak.to_numpy(ak.num(found.px)))
    columns = (ak.to_numpy(ak.flatten(found[name])) for name in ("px", "py", "pz", "E"))
    px, py, pz, total = columns
    pt = np.hypot(px, py)
    lists = ak.flatten(inside, axis=1)
    sizes = ak.to_numpy(ak.num(lists))
    first = (np.cumsum(counts) - counts)[event]
    jets = Jets(
        event=event,
        pt=pt,
        eta=pseudorapidity(pt, pz),
        phi=np.arctan2(py, px),
        mass=np.sqrt(np.maximum(total**2 - pt**2 - pz**2, 0.0)),
        scale=np.ones_like(pt),
        counts=sizes,
        rows=ak.to_numpy(ak.flatten(lists)).astype(np.int64) + np.repeat(first, sizes),
    )
    return jets.take((np.abs(jets.eta) < eta_max) & (sizes >= 3))
