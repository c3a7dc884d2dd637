"""DistillNet: the published size, labels of a teacher, and a training that learns them."""

from pathlib import Path

import numpy as np
import pytest

from l1distill.core.errors import DataError
from l1distill.core.workspace import file_sha256
from l1distill.data.card import Card, FileCard, write_card
from l1distill.data.splits import Split
from l1distill.tasks.pileup.dataset import TRAINING
from l1distill.tasks.pileup.distillnet import (
    DistillNetSettings,
    build_distillnet,
    distill,
    label_particles,
    particle_features,
    student_weights,
)
from l1distill.tasks.pileup.event_files import stream_events, write_events
from l1distill.tasks.pileup.events import Events, Generated, RecordedCandidates, WithoutPileup
from l1distill.training.settings import TrainingSettings

N_EVENTS, N_PARTICLES = 10, 300


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made-up particles, whose hard fraction follows from dz and the PUPPI weight."""
    folder = tmp_path_factory.mktemp("particles")
    rng = np.random.default_rng(0)
    n = N_EVENTS * N_PARTICLES
    charge = rng.integers(-1, 2, n)
    charged = charge != 0
    dz, puppi = np.where(charged, rng.normal(0, 3, n), 0.0), np.where(charged, 0.5, rng.random(n))
    pt, eta = rng.exponential(2.0, n) + 0.3, rng.uniform(-3, 3, n)
    kinematics = {
        "event": np.repeat(np.arange(N_EVENTS), N_PARTICLES),
        "pt": pt,
        "eta": eta,
        "phi": rng.uniform(-3, 3, n),
        "energy": pt * np.cosh(eta),
    }
    ids = np.where(charged, rng.integers(2, 8, n), rng.integers(0, 2, n))
    events = Events(
        numbers=np.zeros((N_EVENTS, 3), np.float32),
        particles=RecordedCandidates(
            **kinematics,
            charge=charge,
            id=ids,
            d0=np.zeros(n),
            dz=dz,
            puppi=puppi,
            hard_fraction=np.where(charged, np.abs(dz) < 1, puppi > 0.6).astype(float),
        ),
        without_pileup=WithoutPileup(**kinematics, charge=charge, id=ids),
        generated=Generated(**kinematics),
    )
    path = folder / f"{TRAINING}.h5"
    write_events(path, [events])
    counts = FileCard(train=6, test=2, validation=2, sha256=file_sha256(path))
    card = Card(
        dataset="pileup", settings={}, versions={}, files={TRAINING: counts}, checks={}, missing=[]
    )
    write_card(folder, card)
    return folder


def _truth(events: Events) -> np.ndarray:
    return events.particles.hard_fraction


def test_the_published_student_has_the_published_size() -> None:
    model = build_distillnet(DistillNetSettings())
    trained = sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)
    assert trained == 10_625
    kernels = [one.shape for one in model.trainable_variables if len(one.shape) == 2]
    products = sum(int(np.prod(shape)) for shape in kernels)
    others = (128 + 64 + 1) * 2  # biases; rectifiers and the sigmoid
    assert 2 * products + others == pytest.approx(20_900, rel=0.02)


def test_labels_are_the_teachers_in_the_order_of_the_particles(data: Path) -> None:
    (events,) = stream_events(data / f"{TRAINING}.h5", 8, 10)
    features, labels = label_particles(data, _truth, Split.VALIDATION, 1000)
    assert np.array_equal(labels, events.particles.hard_fraction.astype(np.float32))
    assert np.array_equal(features, particle_features(events.particles))
    assert [len(part) for part in label_particles(data, _truth, Split.TRAIN, 250)] == [250, 250]
    # an id is one of eight, and no feature is far from the others
    assert (features[:, 8:].sum(axis=1) == 1).all()
    assert np.abs(features).max() < 10
    with pytest.raises(DataError, match=r"labels of particles must be in \[0, 1\]"):
        label_particles(data, lambda events: 2 * _truth(events), Split.TRAIN, 100)


def test_a_student_learns_what_its_teacher_says(data: Path) -> None:
    settings = DistillNetSettings(
        training=TrainingSettings(epochs=30, batch_size=64, learning_rate=0.003, patience=30)
    )
    trained = distill(data, _truth, settings, seed=3)
    (events,) = stream_events(data / f"{TRAINING}.h5", 6, 8)
    weights = student_weights(trained.model)(events)
    truth = events.particles.hard_fraction
    assert weights.shape == truth.shape
    assert ((weights >= 0) & (weights <= 1)).all()
    assert np.abs(weights - truth).mean() < 0.1
    constant = min(np.abs(truth - value).mean() for value in (0.0, 1.0))
    assert constant > 0.25
    again = distill(data, _truth, settings, seed=3)
    for one, other in zip(trained.model.get_weights(), again.model.get_weights(), strict=True):
        assert np.array_equal(one, other)
