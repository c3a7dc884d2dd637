"""Physics that a mistake in the generator would break, on a few hundred events a process."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from l1distill.tasks.anomaly.events import ELECTRONS, JETS, MET, MUONS, SIGNALS
from l1distill.tasks.anomaly.generator.checks import (
    PDG_Z_MASS,
    dilepton_masses,
    jacobian_drop,
    leading_lepton_pt,
    peak_position,
)
from l1distill.tasks.anomaly.generator.plan import Shard, plan_stocks
from l1distill.tasks.anomaly.generator.processes import SAMPLES
from l1distill.tasks.anomaly.generator.settings import GeneratorSettings
from l1distill.tasks.anomaly.generator.shard import ShardContent, make_job, read_shard

Sample = Callable[[str, int], ShardContent]

# [GeV]: the mass PYTHIA was asked for, and how far the mean of 60 may stray from it
TRUTH = {"lq_btau": (80.0, 2.0), "a_4l": (50.0, 0.1), "h0_tautau": (60.0, 0.1),
         "hch_taunu": (60.0, 0.3), "ttbar": (173.0, 2.0), "w": (80.4, 2.0)}  # fmt: skip
SIZES = {"w": 600, "z": 400, "qcd": 200, "ttbar": 40} | dict.fromkeys(SIGNALS, 60)


@pytest.fixture(scope="module")
def every(sample: Sample) -> np.ndarray:
    """All processes together, (n, 19, 3)."""
    return np.concatenate([sample(name, size).objects for name, size in SIZES.items()])


def test_z_peak(sample: Sample) -> None:
    masses = dilepton_masses(sample("z", SIZES["z"]).objects)
    assert ((masses > 80) & (masses < 100)).mean() > 0.7
    assert abs(peak_position(masses) - PDG_Z_MASS) < 1.0


def test_w_has_a_jacobian_edge(sample: Sample) -> None:
    objects = sample("w", SIZES["w"]).objects
    lepton = objects[:, 1:9][np.arange(len(objects)), objects[:, 1:9, 0].argmax(axis=1)]
    counts, _ = np.histogram(lepton[:, 0], bins=[23, 29, 35, 41, 47, 53])
    # the spectrum holds up to half the W mass and falls off beyond
    assert counts[3] < 0.75 * counts[2]
    assert counts[4] < 0.35 * counts[2]
    transverse = np.sqrt(
        2 * lepton[:, 0] * objects[:, MET, 0]
        * (1 - np.cos(lepton[:, 2] - objects[:, MET, 2]))
    )  # fmt: skip
    assert 55 < np.median(transverse) < 85


def test_the_measure_of_the_edge_tells_an_edge_from_none(sample: Sample) -> None:
    assert jacobian_drop(leading_lepton_pt(sample("w", SIZES["w"]).objects)) < 0.5
    rng = np.random.default_rng(0)
    falling = 23.0 + rng.exponential(25.0, 20_000)  # a steep spectrum without an edge
    assert jacobian_drop(falling) > 0.6


@pytest.mark.parametrize("name", TRUTH)
def test_truth_mass(sample: Sample, name: str) -> None:
    mass, tolerance = TRUTH[name]
    masses = sample(name, SIZES[name]).truth_mass
    assert np.isfinite(masses).all()
    assert abs(np.median(masses) - mass) < tolerance


def test_truth_mass_only_where_there_is_a_resonance(sample: Sample) -> None:
    assert np.isnan(sample("qcd", SIZES["qcd"]).truth_mass).all()
    assert [name for name, sample in SAMPLES.items() if sample.process.resonance is None] == ["qcd"]


def test_four_leptons_of_a_light_scalar_have_its_mass(sample: Sample) -> None:
    objects = sample("a_4l", SIZES["a_4l"]).objects[:, 1:9].astype(np.float64)
    four = objects[(objects[..., 0] > 0).sum(axis=1) >= 4]
    assert len(four) > 1
    pt, eta, phi = np.moveaxis(four, -1, 0)
    energy = (pt * np.cosh(eta)).sum(axis=1)
    momentum = np.stack([pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)]).sum(axis=-1)
    mass = np.sqrt(energy**2 - (momentum**2).sum(axis=0))
    assert abs(np.median(mass) - 50.0) < 4.0


@pytest.mark.parametrize("name", SIZES)
def test_every_event_passes_the_filter_and_the_threshold_is_sharp(
    sample: Sample, name: str
) -> None:
    objects = sample(name, SIZES[name]).objects
    electrons, muons = objects[:, ELECTRONS], objects[:, MUONS]
    electron = (electrons[..., 0] > 23) & (np.abs(electrons[..., 1]) < 3)
    muon = (muons[..., 0] > 23) & (np.abs(muons[..., 1]) < 2.1)
    assert (electron.any(axis=1) | muon.any(axis=1)).all()


def test_the_threshold_cuts_into_a_steep_spectrum(sample: Sample) -> None:
    objects = sample("qcd", SIZES["qcd"]).objects
    leading = objects[:, 1:9, 0].max(axis=1)
    assert leading.min() < 23.5
    assert np.median(leading) < 32


def test_phi_is_flat(every: np.ndarray) -> None:
    for slots in (slice(MET, MET + 1), slice(1, 9), JETS):
        phi = every[:, slots, 2][every[:, slots, 0] > 0]
        assert phi.min() >= -np.float32(np.pi)
        assert phi.max() <= np.float32(np.pi)
        counts, _ = np.histogram(phi, bins=8, range=(-np.pi, np.pi))
        chi2 = ((counts - counts.mean()) ** 2 / counts.mean()).sum()
        assert chi2 < 24.3  # 1 in 1000 for 7 degrees of freedom


def test_met_has_no_eta_and_is_always_there(every: np.ndarray) -> None:
    assert (every[:, MET, 0] > 0).all()
    assert (every[:, MET, 1] == 0).all()


def test_objects_are_sorted_and_absent_ones_are_zero(every: np.ndarray) -> None:
    for slots in (ELECTRONS, MUONS, JETS):
        pt = every[:, slots, 0]
        assert (np.diff(pt, axis=1) <= 0).all()
        assert (every[:, slots][pt == 0] == 0).all()


def test_acceptance_and_object_thresholds(every: np.ndarray) -> None:
    for slots, pt_min, eta_max in ((ELECTRONS, 3, 2.5), (MUONS, 3, 2.4), (JETS, 20, 4.0)):
        present = every[:, slots][every[:, slots, 0] > 0]
        assert present[:, 0].min() >= pt_min
        assert np.abs(present[:, 1]).max() <= eta_max
        # the acceptance is used up to its edge, so the limit is not some other one
        assert np.abs(present[:, 1]).max() > eta_max - 0.2
        assert present[:, 0].min() < 2 * pt_min


def test_jet_eta_has_no_spike(every: np.ndarray) -> None:
    jets = every[:, JETS]
    eta = np.abs(jets[..., 1][jets[..., 0] > 0])
    counts, _ = np.histogram(eta, bins=16, range=(0, 4))
    neighbors = 0.5 * (counts[:-2] + counts[2:])
    excess = (counts[1:-1] - 1.3 * neighbors) / np.sqrt(counts[1:-1] + 0.85 * neighbors)
    assert excess.max() < 3.0


def test_jets_keep_clear_of_leptons(every: np.ndarray) -> None:
    jets, leptons = every[:, JETS], every[:, 1:9]
    delta_eta = jets[:, :, None, 1] - leptons[:, None, :, 1]
    delta_phi = (jets[:, :, None, 2] - leptons[:, None, :, 2] + np.pi) % (2 * np.pi) - np.pi
    both = (jets[:, :, None, 0] > 0) & (leptons[:, None, :, 0] > 0)
    assert np.hypot(delta_eta, delta_phi)[both].min() > 0.399


def test_met_tells_neutrinos_from_none_and_grows_with_activity(sample: Sample) -> None:
    w, z = sample("w", SIZES["w"]).objects, sample("z", SIZES["z"]).objects
    masses_in_peak = (z[:, 1:9, 0] > 0).sum(axis=1) >= 2
    z = z[masses_in_peak]
    assert np.median(w[:, MET, 0]) > 1.4 * np.median(z[:, MET, 0])
    jets = z[:, JETS, 0].sum(axis=1)
    assert z[jets > 0, MET, 0].mean() > 1.1 * z[jets == 0, MET, 0].mean()


def test_processes_differ_as_they_should(sample: Sample) -> None:
    def mean_number(name: str, slots: slice) -> float:
        return float((sample(name, SIZES[name]).objects[:, slots, 0] > 0).sum(axis=1).mean())

    assert mean_number("ttbar", JETS) > 3.0
    assert mean_number("w", JETS) < 0.8
    assert mean_number("qcd", JETS) > 1.5 * mean_number("w", JETS)
    assert mean_number("z", slice(1, 9)) > 1.2
    assert mean_number("a_4l", slice(1, 9)) > 1.9
    assert mean_number("lq_btau", JETS) > 1.8


def test_jets_of_the_fast_mode_are_those_of_a_slice_with_multi_parton_interactions(
    tmp_path: Path,
) -> None:
    """The fast mode takes multi-parton interactions from a pool; here PYTHIA makes them."""
    fast = GeneratorSettings(seed=5, pool=800)
    for stock in plan_stocks(fast):
        if stock.stock != "decays":  # W events take none
            make_job(fast, stock, tmp_path)
    jets = {}
    for number, (mpi, events, seed) in enumerate(
        (("overlay", 3000, 99), ("full", 900, 99), ("off", 900, 98))
    ):
        settings = fast.model_copy(update={"mpi": mpi})
        shard = Shard(sample="w", number=number, events=events, seed=seed)
        make_job(settings, shard, tmp_path)
        jets[mpi] = (read_shard(tmp_path, shard).objects[:, JETS, 0] > 0).sum(axis=1)
    ratio = jets["overlay"].mean() / jets["full"].mean()
    error = ratio * np.hypot(
        *(
            jets[mpi].std() / jets[mpi].mean() / np.sqrt(len(jets[mpi]))
            for mpi in ("overlay", "full")
        )
    )
    assert error < 0.07, "the slice is too small to tell"
    assert abs(ratio - 1) < 0.15
    without = jets["off"].mean()
    assert without < 0.92 * jets["full"].mean(), "the test would notice a missing overlay"
