"""Candidates that are trained together, against QKeras students that are trained one at a time."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from l1distill.compression.pruning import PruningSettings
from l1distill.distillation.settings import DistillationSettings
from l1distill.distillation.student import Examples, train_student
from l1distill.evaluation.equivalence import equivalence
from l1distill.models.float_twin import float_twin
from l1distill.models.mlp import StudentSettings, build_student
from l1distill.search.candidate import Candidate
from l1distill.search.masks import magnitude_masks
from l1distill.search.sampling import ask
from l1distill.search.snapshot import Snapshot
from l1distill.search.space import SpaceSettings
from l1distill.search.trainer import Trainer
from l1distill.search.weights import layers_of, starting_weights, to_student
from l1distill.training.determinism import make_deterministic
from l1distill.training.history import History
from l1distill.training.settings import TrainingSettings

FEATURES, SEED, EPOCHS = 6, 7, 3
EXPONENTS = (3, 2, 1, 0, -1, 2)
TRAINING = TrainingSettings(epochs=EPOCHS, batch_size=64, learning_rate=0.01, patience=3)
PRUNING = PruningSettings(sparsity=0.5, begin_epoch=0, end_epoch=2)


def examples(n: int, seed: int, outputs: int = 2) -> Examples:
    x = np.random.default_rng(seed).normal(size=(n, FEATURES)).astype(np.float32)
    targets = np.stack([x[:, 0] - x[:, 1], np.abs(x[:, 2]), x[:, 3] * x[:, 4]], axis=1)
    return Examples(features=x, targets=targets[:, :outputs])


def student(**settings: Any) -> StudentSettings:
    rate = settings.pop("learning_rate", 0.01)
    training = TRAINING.model_copy(update={"learning_rate": rate})
    return StudentSettings.model_validate({"training": training, **settings})


PER_LAYER = student(
    layers=[12, 5],
    weight_bits=[4, 8, 6],
    weight_integer=[1, 0, 2],
    bias_bits=[5, 6, 9],
    bias_integer=[0, 1, 2],
    activation_bits=[5, 3],
    activation_integer=[2, 1],
    input_bits=6,
    output_bits=12,
)
WIDE = student(layers=[9, 16], weight_bits=16, activation_bits=16, learning_rate=0.003)
NARROW = student(layers=[4, 4], weight_bits=2, activation_bits=2, input_bits=4, learning_rate=0.02)
PAIR = student(layers=[12, 16], weight_bits=8, activation_bits=8)
TRAIN, VALIDATION = examples(300, 1), examples(100, 2)


def trainer_of(
    candidate: Candidate,
    data: tuple[Examples, Examples] = (TRAIN, VALIDATION),
    distillation: DistillationSettings | None = None,
    exponents: Sequence[int] = EXPONENTS,
    together: int | None = None,
) -> Trainer:
    return Trainer(
        *data,
        candidate.student,
        distillation or DistillationSettings(),
        PRUNING,
        input_exponents=exponents,
        seed=SEED,
        together=together,
    )


def begun(candidate: Candidate, outputs: int = 2) -> Snapshot:
    """The candidate with the weights that a student of the seed begins with."""
    make_deterministic(SEED)
    return Snapshot.begin(layers_of(build_student(candidate.student, FEATURES, outputs, EXPONENTS)))


def alone(
    candidate: Candidate,
    start: Snapshot,
    data: tuple[Examples, Examples],
    loss: Any,
    epochs: int = EPOCHS,
) -> tuple[Any, History]:
    """Fit the student in QKeras with Keras's Adam, a step at a time."""
    import tensorflow as tf
    from tensorflow import keras

    model = to_student(candidate.student, start.layers, EXPONENTS)
    model = model if candidate.rounds else float_twin(model)
    optimizer = keras.optimizers.Adam(candidate.student.training.learning_rate)
    train, validation = data
    history, size = History(), candidate.student.training.batch_size
    for epoch in range(epochs):
        order = np.random.default_rng([SEED, epoch]).permutation(len(train.features))
        total = 0.0
        for first in range(0, len(order), size):
            rows = order[first : first + size]
            with tf.GradientTape() as tape:
                value = tf.reduce_mean(
                    loss(train.targets[rows], model(train.features[rows], training=True))
                )
            gradients = tape.gradient(value, model.trainable_variables)
            optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
            total += float(value) * len(rows)
        history.loss.append(total / len(order))
        judged = loss(validation.targets, model(validation.features))
        history.validation_loss.append(float(tf.reduce_mean(judged)))
    return model, history


def assert_same(one: Snapshot, model: Any, history: History) -> None:
    np.testing.assert_allclose(one.history.loss, history.loss, rtol=2e-5)
    np.testing.assert_allclose(one.history.validation_loss, history.validation_loss, rtol=2e-5)
    for ours, theirs in zip(one.best, layers_of(model), strict=True):
        for values, expected in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(values, expected, atol=5e-6)


@pytest.fixture(scope="module")
def three() -> tuple[Trainer, list[Candidate], list[Snapshot]]:
    """Candidates of other widths, types, inputs, rates and sparsities, trained together."""
    candidates = [
        Candidate(student=PER_LAYER, sparsity=0.5),
        Candidate(student=WIDE),
        Candidate(student=NARROW),
    ]
    trainer = trainer_of(candidates[0])
    return trainer, candidates, trainer.train(candidates, [*map(begun, candidates)], EPOCHS)


def test_a_pruned_one_is_the_student_that_the_product_trains(
    three: tuple[Trainer, list[Candidate], list[Snapshot]],
) -> None:
    _, candidates, trained = three
    product = train_student(
        TRAIN,
        VALIDATION,
        candidates[0].student,
        pruning=candidates[0].pruning(PRUNING),
        input_exponents=EXPONENTS,
        seed=SEED,
    )
    assert_same(trained[0], product.model, product.history)
    for kernel, _ in trained[0].best:
        assert np.mean(kernel == 0.0) == pytest.approx(0.5, abs=0.5 / kernel.size)


def test_the_others_are_what_qkeras_and_adam_make_of_them(
    three: tuple[Trainer, list[Candidate], list[Snapshot]],
) -> None:
    from tensorflow import keras

    _, candidates, trained = three
    for candidate, one in zip(candidates[1:], trained[1:], strict=True):
        model, history = alone(candidate, begun(candidate), (TRAIN, VALIDATION), keras.losses.mse)
        best = int(np.argmin(history.validation_loss))
        assert best == EPOCHS - 1, "weights of the last epoch are compared"
        assert_same(one, model, history)


def test_answers_are_those_of_the_student_with_these_weights(
    three: tuple[Trainer, list[Candidate], list[Snapshot]],
) -> None:
    trainer, candidates, trained = three
    features = 2 * examples(1500, 3).features
    answers = trainer.answers(candidates, [one.best for one in trained], features)
    assert answers.shape == (3, 1500, 2)
    for candidate, one, given in zip(candidates, trained, answers, strict=True):
        model = to_student(candidate.student, one.best, EXPONENTS)
        expected = model(features).numpy()
        # a sum in another order may round the other way
        assert np.mean(given == expected) > 0.999
        np.testing.assert_allclose(given, expected, atol=2.0 ** (5 - 12))
        assert len(np.unique(expected)) > 2


def test_what_is_not_finite_fails_alone_and_patience_ends_alone(
    three: tuple[Trainer, list[Candidate], list[Snapshot]],
) -> None:
    trainer, candidates, trained = three
    starts = [*map(begun, candidates)]
    starts[1].layers[0][0][0, 0] = np.nan
    waiting = replace(starts[2], best_loss=0.0, waited=2)
    first, second, third = trainer.train(candidates, [starts[0], starts[1], waiting], EPOCHS)
    assert (first.failed, second.failed, third.failed) == (False, True, False)
    assert first.history == trained[0].history
    assert (second.epochs, third.epochs) == (1, 1)
    assert third.ended
    np.testing.assert_array_equal(third.best[0][0], starts[2].layers[0][0])


def test_a_snapshot_goes_on_to_the_same_bytes(
    three: tuple[Trainer, list[Candidate], list[Snapshot]],
) -> None:
    trainer, candidates, trained = three
    half = trainer.train(candidates, [*map(begun, candidates)], 1)
    again = [Snapshot.from_bytes(one.to_bytes()) for one in half]
    for one, whole in zip(trainer.train(candidates, again, EPOCHS), trained, strict=True):
        assert one.to_bytes() == whole.to_bytes()


def test_computed_at_once_as_on_a_gpu_they_become_the_same(
    three: tuple[Trainer, list[Candidate], list[Snapshot]],
) -> None:
    _, candidates, trained = three
    starts = [*map(begun, candidates)]
    starts[1] = replace(starts[1], ended=True)
    at_once = trainer_of(candidates[0], together=4).train(candidates, starts, EPOCHS)
    assert at_once[1].history == starts[1].history
    for one, other in zip(at_once[::2], trained[::2], strict=True):
        np.testing.assert_allclose(one.history.loss, other.history.loss, rtol=2e-5)
        for (kernel, bias), (wanted, wanted_bias) in zip(one.best, other.best, strict=True):
            np.testing.assert_allclose(kernel, wanted, atol=5e-6)
            np.testing.assert_allclose(bias, wanted_bias, atol=5e-6)


def test_what_a_candidate_becomes_does_not_depend_on_the_others(
    three: tuple[Trainer, list[Candidate], list[Snapshot]],
) -> None:
    trainer, candidates, trained = three
    hidden = [12, 16]
    (alone,) = trainer.train(candidates[2:], [begun(candidates[2])], EPOCHS, hidden)
    assert alone.to_bytes() == trained[2].to_bytes()


@pytest.mark.parametrize(
    ("options", "outputs"),
    [
        ({"loss": "kl", "temperature": 2.0, "gamma": 0.5}, 3),
        ({"response": {"answer": "decision", "weight": 2.0}}, 1),
    ],
)
def test_losses_are_those_of_the_knowledge(options: dict[str, Any], outputs: int) -> None:
    import tensorflow as tf

    distillation = DistillationSettings.model_validate(options)
    data = examples(100, 1, outputs), examples(50, 2, outputs)
    if outputs == 1:
        data = replace(data[0], targets=np.float32(data[0].targets > 0)), data[1]
    candidate = Candidate(student=PAIR)
    trainer = trainer_of(candidate, data, distillation)
    (one,) = trainer.train([candidate], [begun(candidate, outputs)], 1)

    def divergence(wanted: Any, given: Any) -> Any:
        kl = tf.keras.losses.KLDivergence(reduction="none")
        return 0.5 * 4.0 * kl(tf.nn.softmax(wanted / 2.0), tf.nn.softmax(given / 2.0))

    def entropy(wanted: Any, given: Any) -> Any:
        return 2.0 * tf.keras.losses.binary_crossentropy(wanted, given, from_logits=True)

    loss = divergence if outputs == 3 else entropy
    model, history = alone(candidate, begun(candidate, outputs), data, loss, epochs=1)
    assert_same(one, model, history)


def test_each_candidate_learns_with_a_distance_of_its_own() -> None:
    """As if it were alone; all are judged by the same."""
    from tensorflow import keras

    candidates = [
        Candidate(student=PAIR, knowledge="huber"),
        Candidate(student=WIDE, knowledge="mae"),
        Candidate(student=PAIR),
    ]
    trainer = Trainer(
        TRAIN,
        VALIDATION,
        PAIR,
        DistillationSettings(),
        PRUNING,
        input_exponents=EXPONENTS,
        knowledge=["mae", "huber", "mse"],
        seed=SEED,
    )
    together = trainer.train(candidates, [*map(begun, candidates)], 2)
    losses = (keras.losses.huber, keras.losses.mae, keras.losses.mse)
    for candidate, one, loss in zip(candidates, together, losses, strict=True):
        data = TRAIN, VALIDATION
        model, history = alone(candidate, begun(candidate), data, loss, epochs=2)
        np.testing.assert_allclose(one.history.loss, history.loss, rtol=2e-5)
        for (kernel, bias), (wanted, wanted_bias) in zip(one.layers, layers_of(model), strict=True):
            np.testing.assert_allclose(kernel, wanted, atol=5e-6)
            np.testing.assert_allclose(bias, wanted_bias, atol=5e-6)
        judged = np.mean((model(VALIDATION.features).numpy() - VALIDATION.targets) ** 2)
        assert one.history.validation_loss[-1] == pytest.approx(judged, rel=1e-4)
    assert candidates[1].distillation(DistillationSettings()).loss == "mae"


def test_without_rounding_it_is_the_float_phase_of_a_student() -> None:
    from tensorflow import keras

    candidate = Candidate(student=PAIR, rounds=False)
    start = begun(candidate)
    start.layers[0][1][:] = 0.5  # some activations are cut at the top
    (one,) = trainer_of(candidate).train([candidate], [start], 2)
    model, history = alone(candidate, start, (TRAIN, VALIDATION), keras.losses.mse, epochs=2)
    assert_same(one, model, history)


@pytest.mark.parametrize("bits", [2, 4, 16])
def test_weights_begin_as_those_of_qkeras(bits: int) -> None:
    """The same distribution, clipped and widened in the same way."""
    settings = student(layers=[200], weight_bits=bits, weight_integer=1)
    make_deterministic(1)
    (kernel, bias), _ = layers_of(build_student(settings, 57))
    (ours, our_bias), _ = starting_weights(Candidate(student=settings), 57, 1)
    assert (ours.shape, our_bias.any()) == (kernel.shape, False)
    for share in (0.01, 0.1, 0.5, 0.9, 0.99):
        scale = 0.03 * kernel.std() / np.sqrt(share * (1 - share))
        assert np.quantile(ours, share) == pytest.approx(np.quantile(kernel, share), abs=scale)
    assert np.abs(ours).max() == pytest.approx(np.abs(kernel).max(), rel=0.05)
    assert not bias.any()


def test_many_end_with_the_losses_of_those_that_are_trained_alone() -> None:
    """In the mean within 2%, by two one-sided t tests that would say so nearly always."""
    from tensorflow import keras

    space, number = SpaceSettings(depth=[1], nodes=[4, 6, 8], sparsity=[0.0]), 8
    options: dict[str, Any] = {"objectives": 1, "population": number, "seed": [3]}
    asked = ask("random", [], lambda trial: space.draw(trial, "both"), number, **options)
    base = student()
    candidates = [space.candidate(one.values, "both", base, seed) for seed, one in enumerate(asked)]
    starts = [Snapshot.begin(starting_weights(one, FEATURES, 2)) for one in candidates]
    together = trainer_of(candidates[0]).train(candidates, starts, EPOCHS)
    losses = [
        min(alone(one, start, (TRAIN, VALIDATION), keras.losses.mse)[1].validation_loss)
        for one, start in zip(candidates, starts, strict=True)
    ]
    found = equivalence(np.log([one.best_loss for one in together]) - np.log(losses), 0.02)
    assert found.p < 0.05
    assert found.power > 0.95
    assert len(set(losses)) == number


def test_the_last_layer_may_keep_its_weights() -> None:
    kernels = [np.arange(1.0, 9.0, dtype=np.float32).reshape(1, 4, 2)] * 2
    share = [np.float32(0.5)]
    first, last = magnitude_masks(kernels, [[8, 8]], share, prune_output=False)
    assert (first.sum(), last.sum()) == (4.0, 8.0)
    assert [mask.sum() for mask in magnitude_masks(kernels, [[8, 8]], share)] == [4.0, 4.0]
