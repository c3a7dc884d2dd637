"""Offline, co-training and self-distillation: whose weights move, and that a kill changes nothing.

All on tiny networks: points in a plane, a classifier as the teacher, its doubt as the answer.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow import keras

from l1distill.compression.pruning import PruningSettings
from l1distill.core.errors import ConfigError
from l1distill.distillation.centering import Centering, standardization
from l1distill.distillation.joint import JointlyTrained, train_jointly
from l1distill.distillation.joint_networks import JointExamples, JointNetworks
from l1distill.distillation.open_teacher import OpenTeacher, ask, open_teacher, wanted_layers
from l1distill.distillation.settings import DistillationSettings, Scheme
from l1distill.distillation.student import Examples, train_student
from l1distill.distillation.targets import TargetTransform
from l1distill.distillation.transfer import standardized_kinds
from l1distill.models.mlp import StudentSettings
from l1distill.training.determinism import make_deterministic
from l1distill.training.fit import Step
from l1distill.training.settings import ScheduleSettings, TrainingSettings
from tests.distillation.classifier import Classifier, OpenClassifier, points

TEACHER: OpenTeacher = OpenClassifier()
STUDENT = StudentSettings(
    layers=[4],
    training=TrainingSettings(
        epochs=3,
        batch_size=32,
        learning_rate=0.01,
        patience=3,
        schedule=ScheduleSettings(kind="plateau", patience=1),
    ),
)
PRUNING = PruningSettings(sparsity=0.5, begin_epoch=0, end_epoch=1)
DENSE = PruningSettings(sparsity=0.0)
ALL = {
    "response": {"weight": 1.0},
    "reconstruction": {"weight": 0.1},
    "feature": {"weight": 0.1},
    "relation": {"weight": 0.05, "group": 8},
}
"""Every kind of knowledge at once."""
SCHEMES: tuple[Scheme, ...] = ("offline", "co_training", "self")


def _settings(scheme: Scheme, **chosen: Any) -> DistillationSettings:
    return DistillationSettings.model_validate({**ALL, "scheme": scheme, **chosen})


def _joint_examples(n: int, seed: int) -> JointExamples:
    items, labels = points(n, seed)
    return JointExamples(features=items, arrays=[items, labels])


@dataclass(frozen=True)
class Done:
    """What a training left: every weight of student and teacher."""

    student: keras.Model
    teacher: keras.Model | None
    history: Any

    def weights(self) -> list[NDArray[np.float32]]:
        models = [model for model in (self.student, self.teacher) if model is not None]
        return [weights for model in models for weights in model.get_weights()]


@pytest.fixture(scope="module")
def trained_teacher() -> keras.Model:
    make_deterministic(3)
    return TEACHER.build()


def _offline(teacher: keras.Model, settings: DistillationSettings, **options: Any) -> Done:
    layers = wanted_layers(settings, TEACHER.latent_layers(), ["hidden", "logits"])
    splits = []
    for n, seed in ((96, 1), (40, 2)):
        items, labels = points(n, seed)
        lessons = ask(TEACHER, teacher, layers, items)
        logits = tf.constant(TEACHER.answers(teacher, items)["logits"])
        answers = TEACHER.answer_of(logits, [items]).numpy()
        target = TargetTransform(transform="log_standardized", mean=-1.0, std=0.5)
        for kind in standardized_kinds(settings):
            mean, std = standardization(lessons[kind])
            lessons[kind] = (lessons[kind] - mean) / std
        splits.append(
            Examples(
                features=items, targets=target(answers), lessons=lessons, arrays=[items, labels]
            )
        )
    trained = train_student(
        *splits, STUDENT, settings, truth=OpenClassifier(), seed=7, **{"pruning": DENSE, **options}
    )
    return Done(trained.model, teacher, trained.history)


def _jointly(settings: DistillationSettings, **options: Any) -> Done:
    trained = _train_jointly(settings, **options)
    return Done(trained.student.model, trained.teacher, trained.student.history)


def _train_jointly(settings: DistillationSettings, **options: Any) -> JointlyTrained:
    return train_jointly(
        TEACHER,
        _joint_examples(96, 1),
        _joint_examples(40, 2),
        STUDENT,
        settings,
        of_task=TargetTransform.fit_log,
        seed=7,
        **{"pruning": DENSE, **options},
    )


def _run(scheme: Scheme, teacher: keras.Model, **options: Any) -> Done:
    settings = _settings(scheme)
    if scheme == "offline":
        return _offline(teacher, settings, **options)
    return _jointly(settings, **options)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_killed_training_goes_on_to_the_same_bytes(
    scheme: Scheme, trained_teacher: keras.Model, tmp_path: Path
) -> None:
    """Weights of both, regressors, optimizer, centering, pruning and learning rate."""
    before = trained_teacher.get_weights()
    state, of_the_killed = tmp_path / "state.npz", tmp_path / "killed.npz"

    def keep(epoch: int, _: Mapping[str, float]) -> None:
        if epoch == 1:  # all that a training that is killed here leaves behind
            shutil.copy(state, of_the_killed)

    whole = _run(scheme, trained_teacher, pruning=PRUNING, checkpoint=state, on_epoch=keep)
    assert len(whole.history.loss) == 3
    resumed = _run(scheme, trained_teacher, pruning=PRUNING, checkpoint=of_the_killed)
    assert resumed.history == whole.history
    for one, other in zip(resumed.weights(), whole.weights(), strict=True):
        np.testing.assert_array_equal(one, other)

    # what comes back is the student alone, pruned, with its own layers only
    names = [layer.name for layer in whole.student.layers]
    assert names[-2:] == ["score", "score_quantizer"]
    assert not any("regressor" in name or "deep" in name for name in names)
    assert np.mean(whole.student.get_layer("dense_1").kernel.numpy() == 0.0) >= 0.4
    # offline and in self-distillation the trained teacher stays as it is
    for one, other in zip(trained_teacher.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)
    assert (whole.teacher is None) == (scheme == "self")


class _Gradients:
    """Which weights a joint training's loss moves, by whose they are."""

    def __init__(
        self, scheme: Scheme, examples: JointExamples | None = None, **chosen: Any
    ) -> None:
        make_deterministic(7)
        # alpha so small that its own part does not count
        settings = _settings(scheme, **{"alpha": 1e-30, **chosen})
        train = examples or _joint_examples(64, 1)
        run = JointNetworks(TEACHER, train, STUDENT, settings, DENSE, TargetTransform.fit_log)
        run.center()
        if settings.self_teacher == "earlier":
            run.keep_earlier_self()
        batch = [tf.constant(array) for array in run.arrays(train)]
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(run.loss(batch, Step(True, tf.zeros(2, tf.int32))))
        of = {
            "student": run.pupil.model.trainable_variables,
            "teacher": [v for part in run.source.parts for v in part.trainable_variables],
            "regressors": [
                v for part in run.transfer.regressors.values() for v in part.trainable_variables
            ],
            "centering": run.centering.layer.weights,
        }
        self.values = tape.gradient(loss, of)
        self.sizes = {
            name: [0.0 if g is None else float(tf.reduce_max(abs(g))) for g in gradients]
            for name, gradients in self.values.items()
        }
        self.trained = len(run.networks.trainable_variables)

    def moves(self, name: str) -> bool:
        return max(self.sizes[name]) > 1e-10


@pytest.mark.parametrize("scheme", ["co_training", "self"])
def test_pseudo_items_are_for_the_student_alone(scheme: Scheme) -> None:
    real, (made, labels) = _joint_examples(32, 1), points(16, 2)
    arrays = [np.concatenate([a, b]) for a, b in zip(real.arrays, (made, labels), strict=True)]
    mixed = JointExamples(features=arrays[0], arrays=arrays, pseudo=16)
    own = {"alpha": 1.0, "gamma": 1e-30, "beta": 0.5}
    without, beside = (_Gradients(scheme, examples, **own) for examples in (real, mixed))
    for name in ("student", "teacher"):
        for one, other in zip(without.values[name], beside.values[name], strict=True):
            np.testing.assert_allclose(one, other, atol=1e-6)
    transfer = {"alpha": 1e-30, "gamma": 1.0}
    without, beside = (_Gradients(scheme, examples, **transfer) for examples in (real, mixed))
    pairs = zip(without.values["student"], beside.values["student"], strict=True)
    assert max(float(tf.reduce_max(abs(one - other))) for one, other in pairs) > 1e-3


def test_the_earlier_self_stays_and_what_it_says_moves_the_student_alone() -> None:
    """The deeper layers go on learning by their own loss; what they say now teaches nobody."""
    told = _Gradients("self", self_teacher="earlier")
    assert [told.moves(name) for name in ("student", "regressors", "teacher", "centering")] == [
        True,
        True,
        False,
        False,
    ]
    own = _Gradients("self", self_teacher="earlier", alpha=1.0, gamma=0.0, beta=1.0)
    assert [own.moves(name) for name in ("student", "regressors", "teacher")] == [True, False, True]


EARLIER = DistillationSettings.model_validate(
    {
        "scheme": "self",
        "self_teacher": "earlier",
        "snapshot": 0.6,
        "feature": {"weight": 0.1, "layers": ["deep_1"]},
    }
)


def test_an_earlier_self_is_what_the_network_was_and_a_kill_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two of three epochs lead to it, one of them in floating point; killed where it was kept."""
    student = STUDENT.model_copy(update={"float_epochs": 1})
    kept: list[Any] = []
    real = JointNetworks.keep_earlier_self
    items, _ = points(50, 9)

    def keep_earlier_self(run: JointNetworks) -> None:
        kept.append((run._ask(items, items)["response"], run.pupil.model.get_weights()))
        real(run)

    monkeypatch.setattr(JointNetworks, "keep_earlier_self", keep_earlier_self)

    def train(folder: Path, kill: int | None = None) -> JointlyTrained:
        def keep(epoch: int, _: Mapping[str, float]) -> None:
            if epoch == kill:  # all that a training that is killed here leaves behind
                shutil.copytree(folder, tmp_path / "killed")

        folder.mkdir(exist_ok=True)
        examples = (_joint_examples(96, 1), _joint_examples(40, 2))
        more: Any = {"of_task": TargetTransform.fit_log, "seed": 7, "on_epoch": keep}
        state = folder / "state.npz"
        return train_jointly(
            TEACHER, *examples, student, EARLIER, PRUNING, checkpoint=state, **more
        )

    whole = train(tmp_path / "whole", kill=1)
    (answers, weights), history = kept[0], whole.student.history
    assert len(kept) == 1
    assert len(history.loss) == 3
    np.testing.assert_array_equal(whole.answers(items, items), answers)
    now = whole.student.model.get_layer("dense_1").kernel.numpy()
    assert not any(np.array_equal(now, before) for before in weights), "it went on learning"
    assert np.mean(now == 0.0) >= 0.4
    seen = points(96, 1)[0]
    assert whole.target(whole.answers(seen, seen)).mean() == pytest.approx(0.0, abs=1e-4)
    resumed = train(tmp_path / "killed")
    assert resumed.student.history == history
    np.testing.assert_array_equal(resumed.answers(items, items), answers)
    for one, other in zip(
        resumed.student.model.get_weights(), whole.student.model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_an_earlier_self_needs_epochs_on_both_sides() -> None:
    examples = _joint_examples(40, 1)
    for share, says in ((0.1, "of 3 epochs none is before"), (0.9, "of 3 epochs all are before")):
        settings = DistillationSettings(scheme="self", self_teacher="earlier", snapshot=share)
        with pytest.raises(ConfigError, match=rf"^distillation.snapshot={share:g}: {says}"):
            train_jointly(
                TEACHER, examples, examples, STUDENT, settings, of_task=TargetTransform.fit_log
            )


@pytest.mark.parametrize("scheme", ["co_training", "self"])
def test_the_transfer_moves_the_student_and_where_asked_for_both(scheme: Scheme) -> None:
    to_student = _Gradients(scheme)
    assert [to_student.moves(name) for name in ("student", "regressors", "teacher")] == [
        True,
        True,
        False,
    ]
    both = _Gradients(scheme, transfer_to="both")
    assert both.moves("teacher")
    assert min(both.sizes["student"]) > 1e-10, "every layer of the student"
    own = _Gradients(scheme, alpha=1.0, gamma=0.0, beta=1.0)
    assert own.moves("teacher"), "its own loss trains it"
    assert not own.moves("regressors")
    assert own.moves("student"), "beta, and in self-distillation alpha"
    for found in (to_student, both, own):
        assert not found.moves("centering")
        everything = sum(map(len, found.sizes.values())) - len(found.sizes["centering"])
        assert found.trained == everything, "nothing is trained that is not counted here"


def test_a_teacher_that_nothing_is_sent_to_learns_as_if_it_were_alone() -> None:
    """To the bit, whatever the weight of the transfer; with ``both`` the transfer changes it."""
    teachers = [
        _jointly(
            DistillationSettings(scheme="co_training", gamma=gamma, transfer_to=to)  # type: ignore[arg-type]
        ).teacher
        for gamma, to in ((1.0, "student"), (0.25, "student"), (1.0, "both"))
    ]
    one, other, drawn = (teacher.get_weights() for teacher in teachers if teacher is not None)
    assert all(map(np.array_equal, one, other))
    assert not any(map(np.array_equal, one, drawn))


def test_a_self_taught_network_needs_no_teacher_network() -> None:
    class NoNetwork(OpenClassifier):
        def build(self) -> Any:
            raise AssertionError("self-distillation builds no teacher")

    examples = _joint_examples(64, 1)
    short = STUDENT.model_copy(
        update={"training": STUDENT.training.model_copy(update={"epochs": 1})}
    )
    trained = train_jointly(
        NoNetwork(),
        examples,
        examples,
        short,
        DistillationSettings.model_validate(
            {"scheme": "self", "response": {"answer": "decision", "fpr": 0.25}}
        ),
        DENSE,
        of_task=TargetTransform.fit_log,
    )
    assert trained.target.transform == "above"
    answers = trained.answers(examples.features, examples.arrays[0])
    assert answers.shape == (64,)
    # the threshold is that of the network as it came back, measured on what it was trained with;
    # events that its few bits do not tell apart are on one side of it
    assert 0 < trained.target(answers).mean() <= 0.25
    assert trained.target.threshold == pytest.approx(np.quantile(answers, 0.75), rel=1e-5)
    assert trained.student.predict(examples.features).shape == (64, 1)


def test_the_answers_are_those_of_the_teacher_that_comes_back() -> None:
    trained = _train_jointly(DistillationSettings(scheme="co_training"))
    items, _ = points(50, 9)
    assert trained.teacher is not None
    logits = TEACHER.answers(trained.teacher, items)["logits"].astype(np.float64)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    found = trained.answers(items, items)
    np.testing.assert_allclose(found, -(p * np.log(p)).sum(axis=1), rtol=1e-4)
    seen = trained.answers(points(96, 1)[0], points(96, 1)[0])
    assert trained.target(seen).mean() == pytest.approx(0.0, abs=1e-4)
    assert trained.target(seen).std() == pytest.approx(1.0, abs=1e-4)


def test_the_loss_is_the_sum_of_equation_1(trained_teacher: keras.Model) -> None:
    """alpha has no part offline; beta and gamma weigh two losses that are measured here."""
    settings = DistillationSettings(beta=0.5, gamma=2.0, loss="mae", alpha=3.0)
    done = _offline(trained_teacher, settings)
    items, labels = points(40, 2)
    answers = done.student.predict(items, verbose=0).astype(np.float64)
    logits = TEACHER.answers(trained_teacher, items)["logits"]
    target = TargetTransform(transform="log_standardized", mean=-1.0, std=0.5)
    transfer = np.abs(answers - target(TEACHER.answer_of(logits, [items]).numpy())).mean()
    first = (labels == 0)[:, None]
    truth = np.mean(np.logaddexp(0.0, answers) - first * answers)
    best = min(done.history.validation_loss)
    assert best == pytest.approx(2.0 * transfer + 0.5 * truth, rel=1e-4)


def test_the_truth_judges_what_an_answer_says_in_the_scale_of_the_teacher(
    trained_teacher: keras.Model,
) -> None:
    """An output is a standardized logit; its cross-entropy is that of the logit itself."""
    target = TargetTransform(transform="standardized", mean=3.0, std=2.0)
    settings = DistillationSettings(beta=1.0, gamma=0.0)
    done = _offline(trained_teacher, settings, target=target)
    items, labels = points(40, 2)
    logits = 2.0 * done.student.predict(items, verbose=0).astype(np.float64) + 3.0
    truth = np.mean(np.logaddexp(0.0, logits) - (labels == 0)[:, None] * logits)
    assert min(done.history.validation_loss) == pytest.approx(truth, rel=1e-4)


@pytest.mark.parametrize("transform", ["standardized", "log_standardized", "identity"])
def test_what_centers_the_answers_is_undone(transform: Any) -> None:
    target = TargetTransform(transform=transform, mean=0.3, std=2.0)
    centering = Centering({})
    centering.set(target, {})
    answers = tf.constant([[0.5], [2.0], [7.0]])
    np.testing.assert_allclose(centering.undo(centering.response(answers)), answers, rtol=1e-5)
    np.testing.assert_allclose(target.undo(target(answers.numpy())), answers, rtol=1e-5)


@pytest.mark.parametrize(
    ("chosen", "says"),
    [
        ({"response": {"weight": 0}}, "nothing trains the student's output"),
        ({"gamma": 0}, "nothing trains the student's output"),
        (
            {"scheme": "self", "self_teacher": "earlier", "transfer_to": "both"},
            "transfer_to=both: with self_teacher=earlier the teacher stays as it was",
        ),
        ({"scheme": "self", "alpha": 0}, "scheme=self trains the teacher: alpha must be above 0"),
        (
            {"relation": {"weight": 1, "distance": 0, "angle": 0}},
            "relation: give distance or angle a value above 0",
        ),
    ],
)
def test_settings_that_train_nothing_are_refused(chosen: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        DistillationSettings.model_validate(chosen)


def test_what_a_teacher_has_not_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"task=digits hand over their answers alone"):
        open_teacher(Classifier(), "digits", "distillation.feature")
    with pytest.raises(
        ConfigError,
        match=r"^distillation.feature.layers: the teacher has no layer 'code'; choose among a, b$",
    ):
        wanted_layers(_settings("offline", feature={"weight": 1, "layers": ["code"]}), [], "ab")
    examples = Examples(features=np.zeros((4, 2), np.float32), targets=np.zeros((4, 1), np.float32))
    with pytest.raises(ConfigError, match=r"beta=0.5: this task has no truth .* set .*beta=0$"):
        train_student(examples, examples, STUDENT, DistillationSettings(beta=0.5))
    with pytest.raises(ConfigError, match="scheme=self: trains a teacher too"):
        train_student(examples, examples, STUDENT, DistillationSettings(scheme="self"))
    with pytest.raises(ValueError, match="no feature, which has a weight"):
        train_student(examples, examples, STUDENT, _settings("offline", reconstruction={}))
