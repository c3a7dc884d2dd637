"""Jets: the same bytes after a kill, features against formulas and FastJet, the mass peak.

The data set is that of ``profile=tiny``, made by the command, and goes down to the firmware.
"""

import json
import os
import shutil
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import fastjet
import numpy as np
import pytest

from l1distill.artifacts.folders import StudentFolder
from l1distill.core.errors import DataError
from l1distill.data.card import read_card
from l1distill.data.splits import Split
from l1distill.firmware.emulator.emulator import Emulator
from l1distill.firmware.files import EMULATOR
from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.process import TimeLimit
from l1distill.firmware.rtl.port import Port
from l1distill.firmware.rtl.simulation import TESTBENCH, find_simulator, run_testbench
from l1distill.firmware.rtl.top import top_files
from l1distill.firmware.rtl.vectors import pack, unpack
from l1distill.firmware.rtl.verilog import verilog_files
from l1distill.models.keras_files import load
from l1distill.simulation.particles import MUON
from l1distill.stages import services
from l1distill.tasks.jets.dataset import SAMPLE, open_dataset
from l1distill.tasks.jets.features import FEATURES, NAMES
from l1distill.tasks.jets.generator.energy_scale import LARGEST, energy_scale
from l1distill.tasks.jets.generator.flow import Flow, Jets, find_jets
from l1distill.tasks.jets.generator.generate import generate
from l1distill.tasks.jets.generator.settings import GeneratorSettings
from l1distill.tasks.jets.generator.substructure import describe_jets
from l1distill.tasks.jets.jet_files import JetTable, split_jets
from tests.in_process import run_in_process
from tests.tasks.inline import Inline

SETTINGS = GeneratorSettings(seed=5, jets_per_class=200, shard=100)
TINY = ("task=jets", "profile=tiny", "data.folder=out")
STUDENT = (
    *("student.layers=[8]", "student.weight_bits=3", "student.activation_bits=4"),
    *("compression=autopruner", "compression.nodes=4", "compression.features=6"),
    *("student.training.epochs=10", "student.training.batch_size=32"),
)
FEW = (
    *("firmware.verification_events=60", "firmware.adversarial_events=20"),
    "firmware.rtl_simulator=none",
)


@pytest.fixture(scope="module")
def made(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which ``l1distill generate task=jets profile=tiny`` wrote ``out``."""
    folder = tmp_path_factory.mktemp("jets")
    shutil.copy(template, folder / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(services, "open_executor", lambda *_: nullcontext(Inline()))
        _run(folder, "generate", "seed=5", "data.generator.shard=100")
    return folder


def _run(folder: Path, stage: str, *words: str, status: int = 0) -> str:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("MLFLOW")},
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db",
    }
    done = run_in_process(stage, *TINY, *words, folder=folder, environment=environment)
    assert done.returncode == status, done.stderr
    return done.stderr


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
    assert sum(jets for jets, _ in progress) == 400
    for name in ("jets.h5", "card.json"):
        assert (tmp_path / "out" / name).read_bytes() == (made / "out" / name).read_bytes()


@pytest.fixture(scope="module")
def line(made: Path) -> Path:
    """The folder, with what a teacher, a student, its firmware and the gates made of the jets."""
    deep = ("teacher.training.epochs=2", "teacher.widths=[8]", "teacher.training.batch_size=32")
    _run(made, "teacher", *deep)
    _run(made, "student", *STUDENT)
    _run(made, "synthesize", *FEW)
    refusal = _run(made, "promote", status=3)
    assert "l1distill-jets version 1 is not promoted" in refusal
    return made


@pytest.mark.needs_program("iverilog")
def test_the_verilog_gives_the_answers_of_qkeras_to_test_jets(line: Path, tmp_path: Path) -> None:
    dataset, student = open_dataset(line / "out"), StudentFolder(line / "models/student")
    jets = dataset.training.items.values[dataset.evaluation_rows(SAMPLE)]
    assert len(jets) > 40
    inputs = student.encoding.apply(jets)
    expected = load(student.model).predict(inputs, verbose=0)
    assert len(np.unique(expected)) > 10
    rtl = line / "firmware/student/rtl"
    ports = json.loads((rtl / "ports.json").read_text())["ports"]
    port, out = (
        Port(side, tuple(FixedPoint(**one) for one in ports[side]["elements_from_lowest_bit"]))
        for side in ("input", "output")
    )
    # a 1 at a port stands for a power of two; inputs are rounded to even and saturate
    emulator = Emulator.load(line / "firmware/student" / EMULATOR)
    steps = np.array([one.step for one in emulator.ports])
    codes = np.round(inputs / np.ldexp(1.0, emulator.exponents) / steps)
    most = [2 ** (one.integer + one.fraction) for one in emulator.ports]
    least = [-high if one.signed else 0 for one, high in zip(emulator.ports, most, strict=True)]
    values = np.clip(codes, least, np.array(most) - 1) * steps
    simulator = find_simulator("iverilog")
    assert simulator is not None
    words = run_testbench(
        [*verilog_files(rtl), *top_files(rtl), rtl / TESTBENCH],
        pack(port, values), simulator, TimeLimit(60.0, "limit"), tmp_path,
    )  # fmt: skip
    np.testing.assert_array_equal(unpack(out, words), expected)


def test_a_run_of_the_tiny_profile_is_refused_by_physics_alone(line: Path) -> None:
    student, firmware = (
        json.loads((line / folder / "metrics.json").read_text())
        for folder in ("models/student", "firmware/student")
    )
    assert (student["nodes_used"], student["features_used"]) == (4, 6)
    assert (firmware["firmware/mismatches"], firmware["firmware/verified_events"]) == (0, 80)
    verdict = json.loads((line / "promotion/verdict.json").read_text())
    assert (verdict["outcome"], verdict["passed"]) == ("refused", False)
    passed = {gate["gate"]: gate["passed"] for gate in verdict["gates"]}
    of_firmware = {"latency", "timing", "ii", "lut", "ff", "dsp", "bram", "mismatches"}
    assert all(passed[gate] for gate in of_firmware)
    # few jets, and no figure of theirs means anything
    assert not any(passed[gate] for gate in ("verification", "auc", "rejection_50", "rate"))


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
    assert items.values.shape == (400, len(NAMES)) == (400, 102)
    assert np.isfinite(items.values).all()
    assert np.bincount(items.columns["label"]).tolist() == [200, 200]
    assert items.values[:, 0].min() > 250
    assert np.abs(items.values[:, 1]).max() < 1.9


def test_jets_of_one_event_are_in_one_split(made: Path) -> None:
    sample = open_dataset(made / "out").training
    parts = [set(sample.columns(split)["event"].tolist()) for split in Split]
    assert len(set.union(*parts)) == sum(map(len, parts)) < 400
    # several jets of an event there are, in the background
    event, label = sample.items.columns["event"], sample.items.columns["label"]
    assert len(np.unique(event[label == 0])) < 200
    values, order = sample.items.values, np.random.default_rng(1).permutation(400)
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
