"""The shipped experiments of distillation: composed; three are trained on made-up events."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from l1distill.artifacts.folders import TeacherFolder
from l1distill.compression.node_settings import NodePruningSettings
from l1distill.compression.pruning import PruningSettings
from l1distill.core.errors import ConfigError, DataError
from l1distill.core.workspace import file_sha256
from l1distill.data.card import Card, FileCard
from l1distill.data.dataset import Dataset, Items
from l1distill.data.splits import Split
from l1distill.distillation import transfer
from l1distill.distillation.open_teacher import ask
from l1distill.distillation.settings import DistillationSettings
from l1distill.distillation.student import Examples
from l1distill.models import keras_files
from l1distill.models.mlp import StudentSettings
from l1distill.stages import lessons, student
from l1distill.stages.composition import compose_stage, to_plain
from l1distill.stages.configuration import parse
from l1distill.stages.item_weights import check_alike, check_item_weights, item_weights
from l1distill.stages.lessons import Taught, teach
from l1distill.stages.pseudo_items import pseudo_items
from l1distill.stages.recorded_teacher import check_same_constants
from l1distill.stages.topologies import topology_metrics
from l1distill.tasks.anomaly.augmentation import PseudoEventSettings
from l1distill.tasks.anomaly.settings import AnomalyTeacherSettings
from l1distill.tasks.anomaly.standardization import STANDARDIZATION, Standardization
from l1distill.tasks.anomaly.task import TASK
from l1distill.training.determinism import make_deterministic
from tests.digits.task import TASK as DIGITS
from tests.settings import ROOT

SMALL = (
    "student=mlp",
    "compression=none",
    "student.layers=[4]",
    "student.training.epochs=2",
    "student.training.batch_size=64",
    "distillation.augmentation=0",
)
TEACHER = {"architecture": "dnn_ae", "widths": (8, 6), "latent": 3}


def _settings(*overrides: str) -> Any:
    composed = to_plain(compose_stage("student", overrides).config)
    return parse(student.STAGE.settings_for(TASK, composed), composed)


@pytest.mark.parametrize("scheme", ["offline", "co_training", "self"])
@pytest.mark.parametrize("knowledge", ["response", "feature", "relation"])
def test_each_combination_is_one_file(knowledge: str, scheme: str) -> None:
    chosen = _settings(f"experiment=distill_{knowledge}_{scheme}").distillation
    assert chosen.scheme == scheme
    weights = {name: getattr(chosen, name).weight for name in ("feature", "relation")}
    assert {name for name, weight in weights.items() if weight} == {knowledge} - {"response"}
    assert chosen.response.weight == 1.0


def test_classification_and_any_mixture_are_configuration() -> None:
    chosen = _settings("experiment=distill_classification").distillation
    assert (chosen.response.answer, chosen.scheme) == ("decision", "offline")
    weights = ("distillation.feature.weight=0.1", "distillation.relation.weight=0.05")
    mixed = _settings("student=mlp", *weights)
    assert mixed.distillation == DistillationSettings.model_validate(
        {"feature": {"weight": 0.1}, "relation": {"weight": 0.05}}
    )
    trees = _settings("student=trees", "experiment=distill_feature_offline")
    assert (trees.student.family, trees.compression.sparsity) == ("trees", 0.0)
    pruned = _settings("student=trees", "compression=pruning")
    assert pruned.compression.sparsity == 0.5, "what a user asks for is refused, not passed over"
    left = _settings(
        "compression=hard_concrete", "compression.nodes=19", "compression.features=0.2"
    )
    assert left.compression == NodePruningSettings(
        nodes=19, features=0.2, score="hard_concrete", feature_score="hard_concrete"
    )
    with pytest.raises(ConfigError, match=r"compression.method='cut': there is no such method"):
        _settings("compression.method=cut")
    with pytest.raises(ConfigError, match=r"distillation.*alpha must be above 0"):
        _settings("distillation.scheme=self", "distillation.alpha=0")


def test_every_experiment_of_distillation_is_composed_here() -> None:
    files = {path.stem for path in (ROOT / "conf/experiment").glob("distill_*.yaml")}
    kinds = ("response", "feature", "relation")
    nine = {f"distill_{k}_{s}" for k in kinds for s in ("offline", "co_training", "self")}
    assert files == nine | {"distill_classification"}


def _events(n: int, seed: int, pt: float = 30.0) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    events = rng.exponential(pt, (n, 19, 3))
    events[..., 1:] = rng.uniform(-2.0, 2.0, (n, 19, 2))
    events[rng.random((n, 19)) < 0.6] = 0.0
    return events.astype(np.float32)


@dataclass
class World:
    """A data set of two samples, and a teacher that nothing trained."""

    folder: Path
    section: Mapping[str, Any] = field(default_factory=lambda: TEACHER)
    logged: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        events = {"background": _events(250, 1), "signal": _events(40, 2, 90.0)}
        (self.folder / "scores").mkdir()
        files = {}
        for name, values in events.items():
            (self.folder / f"{name}.h5").write_bytes(name.encode())
            n = len(values)
            files[name] = FileCard(
                train=n // 2,
                test=n // 4,
                validation=n - n // 2 - n // 4,
                sha256=file_sha256(self.folder / f"{name}.h5"),
            )
        self.dataset = Dataset(
            folder=self.folder,
            card=Card(
                dataset="made up", settings={}, versions={}, files=files, checks={}, missing=[]
            ),
            md5="",
            training_sample="background",
            read=lambda path: Items(values=events[path.stem]),
        )
        Standardization.fit(events["background"]).write(self.folder / STANDARDIZATION)
        make_deterministic(1)
        settings = AnomalyTeacherSettings.chosen_by(self.section).model_validate(self.section)
        self.handed_on = TASK.handed_on(settings)
        self.teacher = TASK.teacher(settings, self.folder)
        self.network = self.teacher.build()
        keras_files.save(self.network, TeacherFolder(self.folder).model)
        for name, values in events.items():
            scores = self.teacher.answers(self.network, values)[self.handed_on]
            np.save(self.folder / "scores" / f"{name}.npy", scores)

    def settings(self, *overrides: str) -> Any:
        """Return settings of the stage with a small student."""
        return _settings(f"teacher_folder={self.folder}", *SMALL, *overrides)

    def context(self) -> Any:
        """Return what the stage hands on, without a run of MLflow."""

        @contextmanager
        def epochs(
            _title: str, _total: int, _unit: str = "epochs"
        ) -> Iterator[Callable[..., None]]:
            yield lambda *_: None

        record = SimpleNamespace(
            section=lambda name: {f"{name}.architecture": self.section["architecture"]},
            nested=lambda _: self.section,
        )
        return SimpleNamespace(
            task=TASK,
            records={"teacher": record},
            hashes={"teacher": self.folder.name},
            run=SimpleNamespace(log_parameters=self.logged.update),
            epochs=epochs,
            checkpoint=None,
        )

    def teach(self, *overrides: str) -> Taught:
        """Train a student as the stage does."""
        settings = self.settings(*overrides)
        encoding = TASK.encoding(settings.student.inputs, self.folder)
        return teach(settings, self.context(), self.dataset, encoding)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


@pytest.mark.parametrize(
    ("experiment", "more"),
    [
        ("distill_feature_offline", ("distillation.reconstruction.weight=0.1",)),
        ("distill_relation_co_training", ("distillation.feature.weight=0.1",)),
        ("distill_classification", ("distillation.scheme=self", "distillation.response.fpr=0.2")),
    ],
)
def test_experiments_train_a_student(world: World, experiment: str, more: tuple[str, ...]) -> None:
    taught = world.teach(f"experiment={experiment}", *more)
    assert world.logged == {"teacher.architecture": "dnn_ae"}, "which teacher it was is logged"
    assert {name: len(said) for name, said in taught.answers.items()} == {
        "background": 250,
        "signal": 40,
    }
    features = np.zeros((5, 57), np.float32)
    assert taught.student.predict(features).shape == (5, 1)
    of_folder = np.load(world.folder / "scores/background.npy")
    found = taught.answers["background"]
    if experiment == "distill_feature_offline":
        np.testing.assert_array_equal(found, of_folder)
        assert not taught.is_own
        assert taught.teacher is None
        return
    assert taught.is_own
    assert not np.array_equal(found, of_folder), "another teacher than that of the folder"
    train = taught.target(found[:125])
    if experiment == "distill_classification":
        assert taught.teacher is None
        assert np.unique(train).tolist() == [0.0, 1.0]
        assert 0.1 < train.mean() < 0.21
    else:
        assert taught.teacher is not None
        ours = world.teacher.answers(taught.teacher, world.dataset.training.items.values)["mse"]
        np.testing.assert_allclose(found, ours, rtol=1e-4)
        assert train.mean() == pytest.approx(0.0, abs=1e-3)


@pytest.fixture(scope="module")
def density(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A world whose teacher's score is a logarithm already, and may be below zero."""
    section = {"architecture": "autoregressive", "slot_width": 2, "components": 2, "layers": 1}
    return World(tmp_path_factory.mktemp("density"), section)


@pytest.mark.parametrize("scheme", ["offline", "co_training"])
def test_a_density_teaches_its_logarithm_as_it_is(density: World, scheme: str) -> None:
    knowledge = ("distillation.feature.weight=0.1", "distillation.relation.weight=0.1")
    more = ("student.training.epochs=1", "distillation.augmentation=0.4")
    taught = density.teach(*knowledge, *more, f"distillation.scheme={scheme}")
    assert taught.target.transform == "standardized"
    assert taught.is_own == (scheme == "co_training")
    said = taught.answers["background"]
    train = taught.target(said[:125])
    assert train.mean() == pytest.approx(0.0, abs=1e-3)
    assert train.std() == pytest.approx(1.0, abs=1e-3)
    if taught.teacher is not None:
        items = density.dataset.training.items.values
        ours = density.teacher.answers(taught.teacher, items)["nll"]
        np.testing.assert_allclose(said, ours, rtol=1e-3, atol=1e-3)


def test_the_teacher_labels_pseudo_events(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each kind of knowledge about them is what the teacher says when it is asked directly."""
    seen: list[Examples] = []

    def train_student(*splits: Examples, **options: Any) -> Any:
        seen[:] = splits[:2]
        return real_one(*splits, **options)

    real_one = lessons.train_student
    monkeypatch.setattr(lessons, "train_student", train_student)
    overrides = ("distillation=feature", "student.training.epochs=1")
    taught = world.teach(*overrides)
    without = seen[0]
    taught = world.teach(*overrides, "distillation.augmentation=0.4")
    train, validation = seen
    assert [(len(part.features), part.pseudo) for part in seen] == [(175, 50), (88, 25)]
    np.testing.assert_array_equal(train.features[:125], without.features)
    np.testing.assert_array_equal(train.targets[:125], without.targets)
    feature = train.lessons["feature"]
    np.testing.assert_allclose(feature[:125], without.lessons["feature"], rtol=1e-5, atol=1e-6)
    made = TASK.augment(
        world.dataset.training.part(Split.TRAIN),
        50,
        PseudoEventSettings(),
        np.random.default_rng([_settings().seed, 0]),
    )
    scores = world.teacher.answers(world.network, made)["mse"]
    np.testing.assert_allclose(train.targets[125:], taught.target(scores), rtol=1e-5, atol=1e-6)
    latent = ask(world.teacher, world.network, {"feature": world.teacher.latent_layers()}, made)
    ratio = np.polyfit(latent["feature"][:, 0], feature[125:, 0], 1)
    np.testing.assert_allclose(
        np.polyval(ratio, latent["feature"][:, 0]), feature[125:, 0], atol=1e-4
    )
    met = validation.features[63:, 0]
    assert not np.isin(met[met > 0], train.features[:, 0]).any(), "from events of their own split"


@pytest.mark.parametrize("scheme", ["offline", "self"])
def test_rare_scores_are_learned_as_the_cap(
    world: World, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    """What is learned has the cap as its largest, what students are compared with has none."""
    told: list[NDArray[np.float32]] = []
    distance = transfer.response_distance("mse", 1.0)

    def spying(*_: Any) -> Any:
        def compare(targets: Any, answers: Any) -> Any:
            tf.py_function(lambda seen: told.append(seen.numpy()), [targets], [])
            return distance(targets, answers)

        return compare

    monkeypatch.setattr(transfer, "response_distance", spying)
    overrides = (f"distillation.scheme={scheme}", "student.training.epochs=1")
    taught = world.teach(*overrides, "distillation.response.cap=0.75")
    learned = np.concatenate(told)
    assert learned.max() == np.float32(0.75)
    assert 0.02 < (learned == np.float32(0.75)).mean() < 0.6
    assert taught.target(taught.answers["background"]).max() > 1.0
    with pytest.raises(ConfigError, match=r"cap=5: a decision is yes or no"):
        _settings("distillation=classification", "distillation.response.cap=5")


def test_topologies_are_ranked_beside_the_teacher(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The teacher itself differs by nothing, a constant is worth a coin; leptons are counted."""
    settings, encoding = (
        world.settings(),
        TASK.encoding(world.settings().student.inputs, world.folder),
    )
    made = TASK.augment(
        world.dataset.training.part(Split.VALIDATION),
        252,
        PseudoEventSettings(),
        np.random.default_rng(0),
    )
    leptons = np.count_nonzero(made[:, 1:9, 0], axis=1) >= 3
    jets = np.count_nonzero(made[:, 9:, 0], axis=1) >= 3
    found = TASK.topologies(made)
    np.testing.assert_array_equal(found["leptons"], leptons)
    np.testing.assert_array_equal(found["jets"], jets)

    def metrics(score: Callable[[NDArray[Any]], NDArray[Any]]) -> dict[str, float]:
        scales = np.asarray([feature.scale for feature in encoding.features], np.float32)

        def predict(features: NDArray[np.float32]) -> NDArray[np.float32]:
            return score((features * scales).reshape(-1, 19, 3))[:, None].astype(np.float32)

        return topology_metrics(settings, world.context(), world.dataset, encoding, predict)

    teacher = metrics(lambda items: world.teacher.answers(world.network, items)["mse"])
    assert teacher["topology_auc_difference_min"] == pytest.approx(0.0, abs=1e-4)
    assert teacher["topology_auc/jets"] > 0.6
    monkeypatch.setattr(type(world.teacher), "answers", None)  # it is asked once for all students
    constant = metrics(lambda items: np.zeros(len(items)))
    assert constant["topology_auc/leptons"] == constant["topology_auc/jets"] == 0.5
    differences = [constant[f"topology_auc_difference/{name}"] for name in ("leptons", "jets")]
    assert constant["topology_auc_difference_min"] == min(differences) < -0.1
    counted = metrics(lambda items: np.count_nonzero(items[:, 1:9, 0], axis=1))
    background = world.dataset.training.part(Split.VALIDATION)
    few = np.count_nonzero(background[:, 1:9, 0], axis=1)
    many = np.count_nonzero(made[leptons][:, 1:9, 0], axis=1)
    above = (many[:, None] > few).mean() + 0.5 * (many[:, None] == few).mean()
    assert counted["topology_auc/leptons"] == pytest.approx(above)


class _Student(StudentSettings):
    """A student that reads digits."""

    inputs: Any = DIGITS.settings.encoding.model_validate({"white": 16.0})


def test_pseudo_items_need_a_task_that_makes_them_and_a_network_to_ask(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: Any = SimpleNamespace(
        distillation=DistillationSettings(augmentation=2.0),
        student=_Student(),
        compression=PruningSettings(),
        teacher_folder=tmp_path,
        data=SimpleNamespace(folder=tmp_path),
    )
    foreign: Any = SimpleNamespace(name="foreign", constants=tuple, encoding=DIGITS.encoding)
    with pytest.raises(
        ConfigError, match=r"^distillation.augmentation=2: task=foreign makes no pseudo-items"
    ):
        student.check_learning(settings, foreign)
    settings.distillation = DistillationSettings(augmentation="task")
    student.check_learning(settings, foreign)
    assert pseudo_items(settings.distillation, foreign) == 0.0
    assert pseudo_items(settings.distillation, TASK) == 4.0
    monkeypatch.setattr(TeacherFolder, "model", tmp_path / "teacher.h5")
    with pytest.raises(DataError, match=rf"^{tmp_path}/teacher.h5: "):
        world.teach("distillation.augmentation=0.5")


def test_a_teacher_of_other_data_is_refused_by_name(world: World, tmp_path: Path) -> None:
    check_same_constants(TASK, world.folder, world.folder)
    other = Standardization.fit(_events(50, 9))
    other.write(tmp_path / STANDARDIZATION)
    with pytest.raises(DataError) as refusal:
        check_same_constants(TASK, world.folder, tmp_path)
    assert str(refusal.value).startswith(
        f"{world.folder}/standardization.json: not that of {tmp_path}/standardization.json: the "
        "teacher was trained on other data"
    )


def test_a_teacher_of_another_event_format_is_refused_by_name(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tensorflow import keras

    inputs = keras.layers.Input((60,), name="events")
    code = keras.layers.Dense(3, name="latent")(inputs)
    network = keras.Model(inputs, keras.layers.Dense(60, name="reconstruction")(code))
    wrong = tmp_path / "teacher.h5"
    keras_files.save(network, wrong)
    monkeypatch.setattr(TeacherFolder, "model", wrong)
    with pytest.raises(DataError) as refusal:
        world.teach("distillation=feature")
    assert str(refusal.value).startswith(f"{wrong}: cannot read the events of data/anomaly, each ")
    assert "(19, 3)" in str(refusal.value)


def test_a_foreign_task_without_such_teachers_is_told(tmp_path: Path) -> None:
    record = SimpleNamespace(nested=lambda _: {"width": 8})
    settings: Any = SimpleNamespace(
        distillation=DistillationSettings(scheme="co_training"),
        student=_Student(),
        compression=PruningSettings(),
        teacher_folder=tmp_path,
        data=SimpleNamespace(folder=tmp_path),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(student.Record, "read", lambda _: record)
        with pytest.raises(ConfigError, match=r"^distillation.scheme=co_training: the teachers of"):
            student.check_learning(settings, DIGITS)
        settings.distillation = DistillationSettings(beta=1.0)
        with pytest.raises(ConfigError, match=r"^distillation.beta=1: this task has no truth"):
            student.check_learning(settings, DIGITS)
        settings.distillation = DistillationSettings(pt_cap_gev=5.0)
        says = r"^distillation.pt_cap_gev=5: the items of task=digits have no pT .*pt_cap_gev=null"
        with pytest.raises(ConfigError, match=says):
            student.check_learning(settings, DIGITS)
        settings.distillation = DistillationSettings()
        student.check_learning(settings, DIGITS)


def test_items_count_by_their_pt_up_to_the_cap() -> None:
    class WithMomenta:
        def item_pt(self, items: np.ndarray) -> np.ndarray:
            return items[:, 0]

    task: Any = WithMomenta()
    items = np.array([[0.5, 9.0], [4.0, 9.0], [70.0, 9.0]], np.float32)
    settings = DistillationSettings(pt_cap_gev=5.0)
    assert item_weights(settings, task, items).tolist() == [0.5, 4.0, 5.0]  # type: ignore[union-attr]
    assert item_weights(DistillationSettings(), task, items) is None
    check_item_weights(settings, task)
    joint = DistillationSettings(pt_cap_gev=5.0, scheme="co_training")
    says = r"^distillation.pt_cap_gev=5: distillation.scheme=co_training trains a teacher, .*=null"
    with pytest.raises(ConfigError, match=says):
        check_alike(joint)
    check_alike(DistillationSettings(scheme="co_training"))
