"""Events with pileup: the same bytes after a kill, physics, baselines of a prototype, files."""

from pathlib import Path

import numpy as np
import pytest

from l1distill.core.errors import DataError
from l1distill.core.progress import progress
from l1distill.data.card import Card, read_card
from l1distill.data.splits import Split
from l1distill.simulation.kinematics import transverse_momentum
from l1distill.simulation.particle_pool import ParticlePool, overlay_particles
from l1distill.simulation.particles import VertexParticles
from l1distill.simulation.phase2 import cluster_cells
from l1distill.simulation.pool import Draw
from l1distill.simulation.settings import Phase2Settings
from l1distill.tasks.base import load_task
from l1distill.tasks.pileup.dataset import TEST, TRAINING, open_dataset
from l1distill.tasks.pileup.event_files import stream_events
from l1distill.tasks.pileup.events import Events
from l1distill.tasks.pileup.generator.generate import generate
from l1distill.tasks.pileup.generator.settings import GeneratorSettings
from l1distill.tasks.pileup.settings import PileupDataSettings
from l1distill.tasks.records import GenerationServices
from l1distill.tasks.settings import TaskSettings
from tests.tasks.inline import Inline

SETTINGS = GeneratorSettings(seed=5, train=24, test=160, pileup=60.0, pool=500, shard=80)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set, made by the task as ``l1distill generate`` has it made."""
    folder = tmp_path_factory.mktemp("pileup")
    (folder / "out").mkdir()
    task = load_task(TaskSettings(name="pileup", module="l1distill.tasks.pileup.task"))
    settings = PileupDataSettings(name="pileup", folder=folder / "out", generator=SETTINGS)
    services = GenerationServices(
        executor=Inline, progress=progress, work=folder / "work", cache=folder / "cache"
    )
    pictures = task.generate(settings, folder / "out", services)
    assert [picture.path.name for picture in pictures] == [
        *("event.png", "multiplicity.png", "dz.png", "puppi.png", "responses.png")
    ]
    assert all(picture.path.stat().st_size > 5000 for picture in pictures)
    return folder


@pytest.fixture(scope="module")
def card(made: Path) -> Card:
    return read_card(made / "out")


@pytest.fixture(scope="module")
def events(made: Path) -> Events:
    (batch,) = stream_events(made / "out" / f"{TEST}.h5", stop=40, batch=40)
    return batch


def test_killed_run_resumes_to_the_same_bytes(made: Path, tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"train": 6, "test": 4, "pileup": 3.0, "pool": 20})
    whole = tmp_path / "whole"
    generate(settings, whole / "out", Inline(), work=whole / "work")
    with pytest.raises(KeyboardInterrupt):
        generate(settings, tmp_path / "out", Inline(stop_after=2), work=tmp_path / "work")
    assert not (tmp_path / "out").exists()
    reports: list[tuple[int, float]] = []
    executor = Inline()
    generate(
        settings,
        tmp_path / "out",
        executor,
        lambda *done, **_: reports.append(done),
        tmp_path / "work",
    )
    assert executor.done == 1
    assert sum(count for count, _ in reports) == 10
    for name in (f"{TRAINING}.h5", f"{TEST}.h5", "card.json"):
        assert (tmp_path / "out" / name).read_bytes() == (whole / "out" / name).read_bytes()


@pytest.mark.parametrize(
    ("quantity", "method", "measured"),
    [
        ("ptmiss", "none", 0.283), ("ptmiss", "chs", 0.239), ("ptmiss", "puppi", 0.178),
        ("jet_pt", "none", 0.224), ("jet_pt", "chs", 0.100), ("jet_pt", "puppi", 0.0603),
    ],
)  # fmt: skip
def test_baselines_are_those_of_the_prototype(
    card: Card, quantity: str, method: str, measured: float
) -> None:
    """Within four of our errors; and no error hides a wrong value."""
    value = card.checks[f"resolution/{quantity}/{method}"]
    error = card.checks[f"resolution_error/{quantity}/{method}"]
    assert abs(value - measured) < 4 * error
    assert error < 0.25 * measured


def test_truth_is_the_best_and_puppi_better_than_subtraction(card: Card) -> None:
    for quantity in ("ptmiss", "jet_pt"):
        values = [
            card.checks[f"resolution/{quantity}/{name}"] for name in ("truth", "puppi", "none")
        ]
        assert values == sorted(values)
    assert card.checks["resolution/jet_pt/truth"] == pytest.approx(0.0169, abs=0.006)
    assert card.checks["bias/jet_pt/none"] == pytest.approx(0.44, abs=0.1)
    assert card.checks["bias/jet_pt/puppi"] == pytest.approx(0.05, abs=0.05)


def test_checks_are_as_a_physicist_expects(card: Card) -> None:
    checks = card.checks
    assert checks["particles_per_event"] == pytest.approx(2700, rel=0.1)
    assert 0.005 < checks["merged_share"] < 0.03
    assert checks["dz_hard_mm"] == pytest.approx(0.03, abs=0.01)
    # two places along the beam, each of 45 mm
    assert checks["dz_pileup_mm"] == pytest.approx(0.6745 * np.sqrt(2) * 45, rel=0.15)
    assert checks["puppi_neutral_hard"] > 0.6
    assert checks["puppi_neutral_pileup"] < 0.2


def test_events_are_in_acceptance_and_their_parts_agree(events: Events) -> None:
    particles = events.particles
    assert np.abs(particles.eta).max() <= 4.01
    assert particles.pt.min() >= 0.29
    assert set(particles.id.tolist()) <= set(range(8))
    assert ((particles.charge == 0) == (particles.id < 2)).all()
    assert (particles.dz[particles.charge == 0] == 0).all()
    px, py = transverse_momentum(events.generated.pt, events.generated.phi)
    for column, part in ((1, px), (2, py)):
        summed = np.bincount(events.generated.event, part, minlength=len(events))
        np.testing.assert_allclose(events.numbers[:, column], summed, atol=1.0)
    # tracks of the hard collision are the same with and without pileup
    with_pileup = particles.take((particles.charge != 0) & (particles.hard_fraction == 1))
    alone = events.without_pileup.take(events.without_pileup.charge != 0)
    assert np.array_equal(np.sort(with_pileup.pt), np.sort(alone.pt))
    assert len(alone.pt) > 1000


def test_files_are_compact_and_streamed_in_order(made: Path, card: Card) -> None:
    path = made / "out" / f"{TEST}.h5"
    assert path.stat().st_size / SETTINGS.test < 50_000  # bytes an event
    in_small = list(stream_events(path, 3, 20, batch=4))
    (in_large,) = stream_events(path, 3, 20, batch=100)
    joined = Events.concatenate(in_small)
    assert [len(batch) for batch in in_small] == [4, 4, 4, 4, 1]
    for table in ("particles", "without_pileup", "generated"):
        for name in ("event", "pt", "eta"):
            one, other = (getattr(getattr(each, table), name) for each in (joined, in_large))
            assert np.array_equal(one, other)
    sample = open_dataset(made / "out").sample(TRAINING)
    events = sample.events(Split.TRAIN)
    assert events.stop - events.start == card.files[TRAINING].train > 12
    assert sample.first is not None
    assert len(sample.first) == SETTINGS.train + 1
    # items are particles
    assert len(sample.part(Split.TRAIN)) == sample.first[events.stop] - sample.first[events.start]
    assert len(sample.items.values) == sample.first[-1]


def test_a_truncated_file_is_refused(made: Path, tmp_path: Path) -> None:
    for name in ("card.json", f"{TRAINING}.h5"):
        (tmp_path / name).write_bytes((made / "out" / name).read_bytes())
    path = tmp_path / f"{TRAINING}.h5"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"wjets\.h5: cannot be read as events"):
        open_dataset(tmp_path).sample(TRAINING)
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(DataError, match=r"wjets\.h5"):
        open_dataset(tmp_path).sample(TRAINING)
    path.unlink()
    with pytest.raises(DataError, match="no such file"):
        next(stream_events(path))


def _photons(energy: list[float], eta: list[float], phi: list[float]) -> VertexParticles:
    none = np.zeros(len(energy))
    size = np.array(energy)
    return VertexParticles(
        event=np.zeros(len(energy), np.int64),
        code=np.full(len(energy), 22),
        pt=size / np.cosh(eta),
        eta=np.array(eta),
        phi=np.array(phi),
        energy=size,
        x=none,
        y=none,
        z=none,
        charge=none.astype(np.int64),
    )


def test_deposits_of_one_cell_share_its_hard_fraction() -> None:
    perfect = Phase2Settings(em_stochastic=(0.0, 0.0), em_constant=0.0)
    photons = _photons([30.0, 10.0, 5.0, 0.1], [0.020, 0.040, 1.0, 2.0], [-3.14, -3.13, 1.0, 2.0])
    hard = np.array([True, False, False, True])
    clusters = cluster_cells(photons, hard, 1, perfect, np.random.default_rng(0))
    assert len(clusters.event) == 2  # the last is below the threshold
    first, second = np.argsort(-clusters.energy)
    np.testing.assert_allclose(clusters.energy[[first, second]], [40.0, 5.0])
    np.testing.assert_allclose(clusters.hard_fraction[[first, second]], [0.75, 0.0], atol=1e-3)
    np.testing.assert_allclose(clusters.eta[first], 0.025)
    np.testing.assert_allclose(clusters.phi[first], -3.1375)


def test_an_overlaid_collision_is_turned_as_a_whole() -> None:
    numbers = np.array(
        [[5.0, 1.0, 0.5, 9.0, 1.0, 2.0, 3.0], [2.0, -2.0, 3.0, 8.0, 0.0, 0.0, 0.0]], np.float32
    )
    pool = ParticlePool(
        first=np.array([0, 0, 2]),
        code=np.array([211, 22], np.int16),
        charge=np.array([-1, 0], np.int8),
        numbers=numbers,
    )
    drawn = Draw(
        event=np.array([0, 0, 1]),
        entry=np.array([1, 0, 1]),
        angle=np.array([0.0, 1.0, np.pi / 2]),
        mirror=np.array([False, False, True]),
    )
    particles = overlay_particles(pool, drawn, np.array([10.0, 0.0, -20.0]))
    assert particles.event.tolist() == [0, 0, 1, 1]
    np.testing.assert_allclose(particles.eta, [1.0, -2.0, -1.0, 2.0])
    np.testing.assert_allclose(particles.phi[2:], [0.5 + np.pi / 2, 3.0 - 3 * np.pi / 2], atol=1e-6)
    np.testing.assert_allclose(particles.x, [1.0, 0.0, -2.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(particles.y, [2.0, 0.0, 1.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(particles.z, [13.0, 10.0, -23.0, -20.0])
    assert particles.charge.tolist() == [-1, 0, -1, 0]
