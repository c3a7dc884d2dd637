"""Jets: the same bytes after a kill, features against formulas and FastJet, the mass peak."""

from dataclasses import replace
from pathlib import Path

import fastjet
import numpy as np
import pytest

from l1distill.core.errors import DataError
from l1distill.data.card import read_card
from l1distill.data.splits import Split
from l1distill.simulation.particles import MUON
from l1distill.tasks.jets.dataset import open_dataset
from l1distill.tasks.jets.features import FEATURES, NAMES
from l1distill.tasks.jets.generator.energy_scale import LARGEST, energy_scale
from l1distill.tasks.jets.generator.flow import Flow, Jets, find_jets
from l1distill.tasks.jets.generator.generate import generate
from l1distill.tasks.jets.generator.settings import GeneratorSettings
from l1distill.tasks.jets.generator.substructure import describe_jets
from l1distill.tasks.jets.jet_files import JetTable, split_jets
from tests.tasks.inline import Inline

SETTINGS = GeneratorSettings(seed=5, jets_per_class=300, shard=150)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("jets")
    generate(SETTINGS, folder / "out", Inline(), work=folder / "work")
    return folder


def test_killed_run_resumes_to_the_same_bytes(made: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        generate(SETTINGS, tmp_path / "out", Inline(stop_after=1), work=tmp_path / "work")
    assert not (tmp_path / "out").exists()
    progress: list[tuple[int, float]] = []
    executor = Inline()
    generate(
        SETTINGS,
        tmp_path / "out",
        executor,
        lambda *done, **_: progress.append(done),
        tmp_path / "work",
    )
    assert executor.done == 3
    assert sum(jets for jets, _ in progress) == 600
    for name in ("jets.h5", "card.json"):
        assert (tmp_path / "out" / name).read_bytes() == (made / "out" / name).read_bytes()


def test_physics_is_as_expected(made: Path) -> None:
    checks = read_card(made / "out").checks
    # without multi-parton interactions all particles of the decay give the mass of the Higgs boson
    assert checks["softdrop_peak_particles_gev"] == pytest.approx(125, abs=3)
    # jets are calibrated to what is visible of it
    assert checks["softdrop_peak_gev"] == pytest.approx(checks["softdrop_peak_visible_gev"], abs=5)
    assert checks["jet_response_qcd"] == pytest.approx(1, abs=0.02)
    assert checks["b_hadrons_share_h_bb"] > 0.9
    assert checks["b_hadrons_share_qcd"] < 0.1
    assert checks["auc/displaced_tracks"] > 0.85
    assert checks["auc/d2"] > 0.85
    assert checks["auc/phi"] < 0.58


def test_jets_are_in_acceptance_and_finite(made: Path) -> None:
    items = open_dataset(made / "out").training.items
    assert items.values.shape == (600, len(NAMES)) == (600, 102)
    assert np.isfinite(items.values).all()
    assert np.bincount(items.columns["label"]).tolist() == [300, 300]
    assert items.values[:, 0].min() > 250
    assert np.abs(items.values[:, 1]).max() < 1.9


def test_jets_of_one_event_are_in_one_split(made: Path) -> None:
    sample = open_dataset(made / "out").training
    parts = [set(sample.columns(split)["event"].tolist()) for split in Split]
    assert len(set.union(*parts)) == sum(map(len, parts)) < 600
    # several jets of an event there are, in the background
    event, label = sample.items.columns["event"], sample.items.columns["label"]
    assert len(np.unique(event[label == 0])) < 300
    values, order = sample.items.values, np.random.default_rng(1).permutation(600)
    table = JetTable(jets=values, names=NAMES, columns={"event": event})
    moved = JetTable(jets=values[order], names=NAMES, columns={"event": event[order] + 7})
    np.testing.assert_array_equal(split_jets(table)[order], split_jets(moved))


def test_a_truncated_file_is_refused(made: Path, tmp_path: Path) -> None:
    for name in ("card.json", "jets.h5"):
        (tmp_path / name).write_bytes((made / "out" / name).read_bytes())
    with (tmp_path / "jets.h5").open("r+b") as file:
        file.truncate(100_000)
    with pytest.raises(DataError, match=r"jets\.h5: cannot be read as jets"):
        open_dataset(tmp_path).sample("jets")


@pytest.fixture(scope="module")
def by_hand() -> tuple[Flow, Jets, dict[str, float]]:
    """One jet of a few constituents, and its features."""
    rng = np.random.default_rng(3)
    n = 9
    flow = Flow(
        event=np.zeros(n, np.int64),
        pt=np.array([160.0, 120, 60, 30, 20, 10, 5, 2, 0.5]),
        eta=0.4 + rng.normal(0, 0.2, n),
        phi=3.0 + rng.normal(0, 0.2, n),
        code=np.array([211, 0, 211, MUON, 0, 0, 211, 0, 211]),
        d0=np.array([8.0, 0, -5, 0.3, 0, 0, 4, 0, 9]),
    )
    jets = find_jets(flow, 1, 1.0, 250.0, 1.9)
    assert jets.counts.tolist() == [n]
    numbers = describe_jets(flow, jets, 1.0)[0].tolist()
    return flow, jets, dict(zip(NAMES, numbers, strict=True))


def test_energy_correlations_are_sums_over_pairs_and_triplets(
    by_hand: tuple[Flow, Jets, dict[str, float]],
) -> None:
    flow, jets, features = by_hand
    z = flow.pt / jets.pt[0]
    r = np.hypot(flow.eta[:, None] - flow.eta, flow.phi[:, None] - flow.phi)
    n = len(z)
    e2 = sum(z[i] * z[j] * r[i, j] for i in range(n) for j in range(i))
    e3 = sum(
        z[i] * z[j] * z[k] * r[i, j] * r[i, k] * r[j, k]
        for i in range(n)
        for j in range(i)
        for k in range(j)
    )
    assert features["e2"] == pytest.approx(e2, rel=1e-5)
    assert features["c2"] == pytest.approx(e3 / e2**2, rel=1e-5)
    assert features["d2"] == pytest.approx(e3 / e2**3, rel=1e-5)


def test_subjets_and_groomed_mass_are_those_of_fastjet(
    by_hand: tuple[Flow, Jets, dict[str, float]],
) -> None:
    """One particle at a time, through FastJet's classic interface, and by declustering."""
    flow, _, features = by_hand
    particles = [
        fastjet.PseudoJet(
            float(p * np.cos(f)), float(p * np.sin(f)), float(p * np.sinh(e)), float(p * np.cosh(e))
        )
        for p, e, f in zip(flow.pt, flow.eta, flow.phi, strict=True)
    ]
    kt = fastjet.ClusterSequence(particles, fastjet.JetDefinition(fastjet.kt_algorithm, 1.5))
    first, second = sorted(kt.exclusive_jets(2), key=lambda jet: -jet.pt())
    assert features["subjet1_mass"] == pytest.approx(first.m(), rel=1e-4)
    assert features["subjet2_z"] == pytest.approx(second.pt() / features["pt"], rel=1e-4)
    aachen = fastjet.JetDefinition(fastjet.cambridge_algorithm, 1.5)
    sequence = fastjet.ClusterSequence(particles, aachen)
    (jet,) = sequence.inclusive_jets()
    while True:
        one, two = fastjet.PseudoJet(), fastjet.PseudoJet()
        assert jet.has_parents(one, two)
        if min(one.pt(), two.pt()) / (one.pt() + two.pt()) > 0.1:
            break
        jet = one if one.pt() > two.pt() else two
    assert features["softdrop_mass"] == pytest.approx(jet.m(), rel=1e-4)


def test_a_scale_multiplies_momenta_and_masses_and_no_share(
    by_hand: tuple[Flow, Jets, dict[str, float]],
) -> None:
    flow, jets, features = by_hand
    scaled = replace(jets, pt=1.1 * jets.pt, mass=1.1 * jets.mass, scale=1.1 * jets.scale)
    numbers = dict(zip(NAMES, describe_jets(flow, scaled, 1.0)[0].tolist(), strict=True))
    grown = {"pt", "mass", "softdrop_mass", "subjet1_mass", "subjet2_mass"}
    for name, value in features.items():
        expected = 1.1 * value if name in grown else value
        assert numbers[name] == pytest.approx(expected, rel=1e-4, abs=1e-5), name


def test_the_scale_of_jets_falls_with_pt_and_ends_with_its_range() -> None:
    pt = np.array([50.0, 150.0, 300.0, 600.0, 1500.0, 5000.0])
    scale = energy_scale(pt, np.full(6, -0.7))
    assert (np.diff(scale) <= 0).all()
    assert scale[0] == scale[1] < LARGEST
    assert scale[4] == scale[5] > 1.0


def test_d0_is_positive_on_the_side_of_the_axis(
    by_hand: tuple[Flow, Jets, dict[str, float]],
) -> None:
    flow, jets, features = by_hand
    # the point of closest approach, projected on the axis of the jet
    side = -np.sin(flow.phi) * np.cos(jets.phi[0]) + np.cos(flow.phi) * np.sin(jets.phi[0])
    signed = np.where(flow.pt > 1.0, np.sign(flow.d0 * side) * np.abs(flow.d0), 0.0)
    expected = np.sort(signed)[::-1][:4]
    found = [features[f"d0_significance{number}"] for number in range(1, 5)]
    assert found == pytest.approx(np.maximum(expected, 0.0), abs=1e-4)
    assert features["displaced_tracks"] == (signed > 3).sum()
    assert features["displaced_tracks1"] + features["displaced_tracks2"] == (signed > 3).sum()
    assert features["tracks"] == 5
    assert len(FEATURES) == 38
