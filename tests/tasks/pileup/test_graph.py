"""The graph teacher: neighbors and losses by plain loops, the published shape, training."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from l1distill.tasks.pileup import neighbor_table
from l1distill.tasks.pileup.event_files import first_particles, stream_events
from l1distill.tasks.pileup.events import Events
from l1distill.tasks.pileup.generator.generate import generate
from l1distill.tasks.pileup.generator.settings import GeneratorSettings
from l1distill.tasks.pileup.graph import build_graphs, nearest, nearest_in_event
from l1distill.tasks.pileup.graph_losses import (
    build_targets,
    ptmiss_loss,
    supervised_loss,
    wasserstein_loss,
)
from l1distill.tasks.pileup.graph_network import build_network
from l1distill.tasks.pileup.graph_settings import PUBLISHED, GraphSettings
from l1distill.tasks.pileup.graph_training import graph_weights, train_graph
from l1distill.tasks.pileup.inference import operations
from l1distill.tasks.pileup.neighbor_table import NeighborTable
from l1distill.tasks.pileup.weights import from_vertex
from l1distill.training.settings import TrainingSettings
from tests.tasks.inline import Inline

WINDOW_MM = 1.0
SMALL = GraphSettings(
    neighbors=4, width=8, edge=4, training=TrainingSettings(epochs=2, batch_size=4)
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Few events with little pileup."""
    folder = tmp_path_factory.mktemp("graph")
    settings = GeneratorSettings(seed=2, train=40, test=1, pileup=1.0, pool=20, w_pt_hat_min=60)
    generate(settings, folder / "out", Inline(), work=folder / "work")
    return folder / "out"


@pytest.fixture(scope="module")
def events(data: Path) -> Events:
    (read,) = stream_events(data / "wjets.h5", stop=3, batch=3)
    # positions are rounded in the file; here no two distances are equal
    noise = np.random.default_rng(0).normal(0, 1e-5, len(read.particles.eta))
    return replace(read, particles=replace(read.particles, eta=read.particles.eta + noise))


def test_neighbors_are_the_nearest_of_all_pairs(events: Events) -> None:
    particles = events.particles
    row, distance = nearest(particles, 5)
    rng = np.random.default_rng(0)
    for i in rng.choice(len(particles.event), 60, replace=False):
        turn = np.abs(particles.phi - particles.phi[i])
        turn = np.minimum(turn, 2 * np.pi - turn)
        all_of_them = np.hypot(particles.eta - particles.eta[i], turn)
        all_of_them[(particles.event != particles.event[i])] = np.inf
        all_of_them[i] = np.inf
        np.testing.assert_allclose(distance[i], np.sort(all_of_them)[:5], atol=1e-12)
        assert i not in row[i]
        assert (particles.event[row[i]] == particles.event[i]).all()


def test_an_event_with_few_particles_has_few_neighbors(events: Events) -> None:
    kept = np.concatenate([np.flatnonzero(events.particles.event == 0)[:3], [
        *np.flatnonzero(events.particles.event == 1)[:1]
    ]])  # fmt: skip
    row, distance = nearest(events.particles.take(kept), 3)
    assert (row >= 0).sum(axis=1).tolist() == [2, 2, 2, 0]
    assert (distance[row < 0] == 0).all()
    # all at the same place: each has others, and not itself
    same = events.particles.take(np.zeros(6, np.int64))
    row, distance = nearest(same, 2)
    assert (distance == 0).all()
    assert ((row >= 0) & (row < 6)).all()


@pytest.mark.parametrize("largest", [500, 40_000])
def test_neighbors_are_found_once_and_are_those_of_each_event(
    data: Path, largest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = data / "wjets.h5"
    table = NeighborTable(int(first_particles(path)[-1]), 5, largest)
    for _ in range(2):
        for batch in (4, 3):  # those that a batch lacks are found, in any order of batches
            for read in reversed(list(stream_events(path, 3, 17, batch=batch))):
                expected = nearest_in_event(read.particles, 5)
                assert np.array_equal(table(read), expected)
                for i in (0, len(expected) - 1):
                    row, _ = nearest(read.particles, 5)
                    first = np.searchsorted(read.particles.event, read.particles.event[i])
                    assert expected[i].tolist() == (row[i] - first).tolist()
        monkeypatch.setattr(neighbor_table, "nearest_in_event", None)


@pytest.mark.parametrize("settings", [SMALL, PUBLISHED], ids=["compact", "published"])
def test_a_weight_depends_on_the_neighbors_and_not_on_the_order(
    events: Events, settings: GraphSettings
) -> None:
    tf.keras.utils.set_random_seed(1)
    model = build_network(settings)
    weights = graph_weights(model, settings, WINDOW_MM)
    one = events.select(np.array([True, False, False]))
    together, alone = weights(one), weights(events)
    assert ((together > 0) & (together < 1)).all()
    if settings is SMALL:  # the published norm is one of the padded event
        np.testing.assert_allclose(alone[events.particles.event == 0], together, atol=1e-5)
    order = np.random.default_rng(3).permutation(len(one.particles.event))
    shuffled = Events(
        numbers=one.numbers,
        particles=one.particles.take(order),
        without_pileup=one.without_pileup,
        generated=one.generated,
    )
    np.testing.assert_allclose(weights(shuffled), together[order], atol=1e-5)
    # what is far away changes nothing, what is near does
    neighbors = nearest_in_event(one.particles, settings.neighbors)
    graphs = build_graphs(one, from_vertex(one.particles, WINDOW_MM), neighbors)
    if settings is SMALL:
        changed = graphs.features.copy()
        chosen = graphs.neighbors[0, 0, 0]
        changed[0, chosen] += 1.0
        before, after = (
            model([features, *graphs.inputs()[1:]]).numpy()[0]
            for features in (graphs.features, changed)
        )
        moved = np.flatnonzero(before != after)
        assert {0, int(chosen)} <= set(moved.tolist())
        assert len(moved) < 0.9 * len(before)


def test_published_shape_has_the_published_operations_and_parameters() -> None:
    """6,590 MFLOP for 9,000 particles (table 2), with 18 operations a pair that find neighbors.

    The list of operations that is published with the student's code has a matrix product of four
    operations and 14 sums and comparisons for each of 9,000 x 9,000 pairs; our neighbors come from
    a tree. Table 2 says 270k parameters; the published code and its checkpoint, whose operations
    these are, have 110,789 with their 14 features.
    """
    particles = 9000
    model = build_network(PUBLISHED, particles, features=14)
    trained = sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)
    assert trained == 110_789
    counted = operations(model)
    assert counted + 18 * particles**2 == pytest.approx(6.59e9, rel=0.02)


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_cross_entropy_is_that_of_a_loop(power: float) -> None:
    weights = np.array([[0.2, 0.9, 0.5], [0.7, 0.3, 0.5]], np.float32)
    fraction = np.array([[0.0, 1.0, 0.4], [1.0, 0.0, 0.0]], np.float32)
    pt = np.array([[4.0, 9.0, 1.0], [16.0, 1.0, 0.0]], np.float32)
    momenta = np.stack([pt, 0 * pt, 0 * pt], axis=-1)
    total = share = 0.0
    for w, f, p in zip(weights.flat, fraction.flat, pt.flat, strict=True):
        if p > 0:  # padding does not count
            total -= p**power * (f * np.log(w) + (1 - f) * np.log(1 - w))
            share += p**power
    assert float(supervised_loss(weights, momenta, fraction, power)) == pytest.approx(
        total / share, rel=1e-5
    )


def test_distances_are_those_of_sorted_projections(events: Events) -> None:
    targets = build_targets(events)
    rng = np.random.default_rng(0)
    weights = rng.random(targets.hard_fraction.shape).astype(np.float32)
    directions = rng.normal(size=(4, 6)).astype(np.float32)
    directions /= np.linalg.norm(directions, axis=0)

    def points(momenta: np.ndarray, factor: np.ndarray) -> np.ndarray:
        pt, eta, phi = np.moveaxis(momenta, -1, 0)
        angles = np.stack([np.cos(phi), np.sin(phi), eta / 2, np.ones_like(phi)], axis=-1)
        return np.sqrt(factor * pt)[..., None] * angles

    total = 0.0
    for event in range(len(events)):
        for direction in directions.T:
            one = points(targets.momenta[event], weights[event]) @ direction
            other = points(targets.alone[event], np.ones(targets.alone.shape[1])) @ direction
            size = max(len(one), len(other))
            one, other = (np.sort(np.pad(x, (0, size - len(x)))) for x in (one, other))
            total += ((one - other) ** 2).sum()
    found = float(wasserstein_loss(weights, targets.momenta, targets.alone, directions))
    assert found == pytest.approx(total / len(events) / 6, rel=0.02)
    nothing = wasserstein_loss(
        np.ones(targets.alone.shape[:2], np.float32), targets.alone, targets.alone, directions
    )
    assert float(nothing) < 1e-9
    # missing momenta: the vector sum of what is left of each event
    square = 0.0
    for event in range(len(events)):
        pt, _, phi = targets.momenta[event].T
        own = weights[event] * pt * np.exp(1j * phi)
        pt, _, phi = targets.alone[event].T
        square += abs(own.sum() - (pt * np.exp(1j * phi)).sum()) ** 2
    found = float(ptmiss_loss(weights, targets.momenta, targets.alone))
    assert found == pytest.approx(square / len(events), rel=1e-3)


def test_killed_training_goes_on_to_the_same_weights(data: Path, tmp_path: Path) -> None:
    settings = SMALL.model_copy(update={"loss": "wasserstein"})
    whole = train_graph(data, settings, seed=5, window_mm=WINDOW_MM)
    assert whole.history.loss[1] < whole.history.loss[0]

    def stop(epoch: int, _: object) -> None:
        if epoch == 0:
            raise KeyboardInterrupt

    checkpoint = tmp_path / "state.npz"
    with pytest.raises(KeyboardInterrupt):
        train_graph(
            data, settings, seed=5, window_mm=WINDOW_MM, on_epoch=stop, checkpoint=checkpoint
        )
    told: list[int] = []
    resumed = train_graph(
        data,
        settings,
        seed=5,
        window_mm=WINDOW_MM,
        on_epoch=lambda epoch, _: told.append(epoch),
        checkpoint=checkpoint,
    )
    assert told == [0, 1]
    for one, other in zip(whole.model.get_weights(), resumed.model.get_weights(), strict=True):
        assert np.array_equal(one, other)
