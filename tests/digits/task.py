"""A task that the platform has never heard of: scikit-learn's handwritten digits.

Another shape (8 x 8), classes instead of a score, another metric, other names of samples and
features; to prove that stages know a task only through ``tasks/base.py``.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from l1distill.core.workspace import file_sha256
from l1distill.data.card import Card, FileCard, write_card
from l1distill.data.dataset import Dataset, Items, open_dataset
from l1distill.data.encoding import Feature, InputEncoding
from l1distill.data.splits import Split, assign
from l1distill.distillation.targets import TargetTransform
from l1distill.evaluation.curves import Curve
from l1distill.evaluation.evaluation import Evaluation
from l1distill.firmware.results.quantity import Quantity
from l1distill.reporting.data_page import DataNotes
from l1distill.reporting.pictures import FOLDER, Picture
from l1distill.reporting.plots.style import canvas, save
from l1distill.reporting.tables import Column, Table
from l1distill.tasks.records import Answers, Drawing, GenerationServices, TaskDescription
from l1distill.tasks.settings import (
    AugmentationSettings,
    DataSettings,
    EncodingSettings,
    SettingsTypes,
    TeacherSettings,
)
from l1distill.training.fit import Loss, Step

if TYPE_CHECKING:
    import tensorflow as tf
    from tensorflow import keras

SAMPLE = "handwritten"
CLASSES = 10


class DigitsDataSettings(DataSettings):
    images: int = Field(ge=100, le=1797)
    """How many, from the first."""


class DigitsTeacherSettings(TeacherSettings):
    width: int = Field(gt=0)
    """Nodes of the hidden layer."""


class DigitsEncodingSettings(EncodingSettings):
    white: float = Field(gt=0)
    """Gray level that becomes 1."""


class Classifier:
    """A multilayer perceptron with cross-entropy."""

    def __init__(self, settings: DigitsTeacherSettings) -> None:
        self._settings = settings

    def build(self) -> "keras.Model":
        from tensorflow.keras import Model, layers

        images = x = layers.Input((8, 8), name="images")
        x = layers.Flatten(name="flat")(x)
        x = layers.Dense(self._settings.width, activation="relu", name="hidden")(x)
        return Model(images, layers.Dense(CLASSES, name="logits")(x), name="classifier")

    def prunable_layers(self) -> Sequence[str]:
        return ["hidden", "logits"]

    def loss(self, model: "keras.Model", batch_size: int) -> Loss:
        import tensorflow as tf

        def cross_entropy(batch: Sequence["tf.Tensor"], step: Step) -> "tf.Tensor":
            images, labels = batch
            return tf.nn.sparse_softmax_cross_entropy_with_logits(
                tf.cast(labels, tf.int32), model(images / 16.0, training=step.training)
            )

        return cross_entropy

    def answers(
        self, model: "keras.Model", items: NDArray[Any]
    ) -> Mapping[str, NDArray[np.float32]]:
        return {"logits": model.predict(items / np.float32(16.0), verbose=0)}


class DigitsTask:
    name = "digits"
    settings = SettingsTypes(
        data=DigitsDataSettings, teacher=DigitsTeacherSettings, encoding=DigitsEncodingSettings
    )

    def check_sources(self, settings: DataSettings) -> None:
        pass

    def generate(
        self, settings: DataSettings, folder: Path, services: GenerationServices
    ) -> Sequence[Picture]:
        from sklearn.datasets import load_digits

        assert isinstance(settings, DigitsDataSettings)
        digits = load_digits()
        images = digits.images[: settings.images].astype(np.float32)
        labels = digits.target[: settings.images].astype(np.int8)
        split = assign(images)
        order = np.argsort(split, kind="stable")
        with h5py.File(folder / f"{SAMPLE}.h5", "w") as file:
            file.create_dataset("images", data=images[order], track_times=False)
            file.create_dataset("label", data=labels[order], track_times=False)
        file_card = FileCard(
            **{part.name.lower(): int((split == part).sum()) for part in Split},
            sha256=file_sha256(folder / f"{SAMPLE}.h5"),
        )
        card = Card(
            dataset=settings.name,
            settings={"images": settings.images},
            versions={},
            files={SAMPLE: file_card},
            checks={"mean_gray": float(images.mean())},
            missing=["Digits of other writers."],
        )
        write_card(folder, card)
        figure, (ax,) = canvas()
        ax.imshow(images[0], cmap="gray_r")
        save(figure, folder / FOLDER / "first.png")
        return [Picture(caption="The first digit", path=folder / FOLDER / "first.png")]

    def open(self, folder: Path) -> Dataset:
        return open_dataset(folder, _read, SAMPLE)

    def data_notes(self) -> DataNotes:
        return DataNotes(expectations={"mean_gray": "4.9 of 16"})

    def constants(self) -> Sequence[str]:
        return ()

    def teacher(self, settings: TeacherSettings, constants: Path) -> Classifier:
        assert isinstance(settings, DigitsTeacherSettings)
        return Classifier(settings)

    def handed_on(self, settings: TeacherSettings) -> str:
        return "logits"

    def training_arrays(self, dataset: Dataset, split: Split) -> Sequence[NDArray[Any]]:
        training = dataset.training
        return [training.part(split), training.columns(split)["label"]]

    def encoding(self, settings: EncodingSettings, constants: Path) -> InputEncoding:
        assert isinstance(settings, DigitsEncodingSettings)
        features = [
            Feature(name=f"pixel {row},{column}", unit="gray", scale=settings.white)
            for row in range(8)
            for column in range(8)
        ]
        return InputEncoding(shape=[8, 8], features=features)

    def pseudo_items(self) -> float:
        return 0.5

    def augment(
        self,
        items: NDArray[Any],
        number: int,
        settings: AugmentationSettings,
        rng: np.random.Generator,
    ) -> NDArray[Any]:
        """Images moved by up to a pixel to each side."""
        images = items[rng.integers(len(items), size=number)]
        moves = rng.integers(-1, 2, (number, 2))
        return np.stack([np.roll(i, tuple(m), (0, 1)) for i, m in zip(images, moves, strict=True)])

    def check_answers(self, answers: NDArray[Any], name: str) -> str | None:
        return None if answers.ndim == 2 else "logits must be (n, 10)"

    def fit_target(self, answers: NDArray[np.floating[Any]], name: str) -> TargetTransform:
        return TargetTransform(transform="identity")

    def evaluate(self, answers: Answers, dataset: Dataset) -> Evaluation:
        labels = dataset.training.columns(Split.TEST)["label"]
        right = np.argmax(answers[SAMPLE], axis=1) == labels
        by_class = np.array([right[labels == digit].mean() for digit in range(CLASSES)])
        accuracy = float(right.mean())
        return Evaluation(
            metrics={
                "accuracy": accuracy,
                "accuracy_error": float(np.sqrt(accuracy * (1 - accuracy) / len(right))),
            },
            curves={
                "accuracy": {
                    "by_class": Curve(
                        x=np.arange(float(CLASSES)), y=by_class, x_name="digit", y_name="accuracy"
                    )
                }
            },
            primary="accuracy",
            headline=("accuracy",),
        )

    def draw_model(self, drawing: Drawing, dataset: Dataset, folder: Path) -> Sequence[Picture]:
        figure, (ax,) = canvas()
        curve = drawing.evaluations[drawing.primary].curves["accuracy"]["by_class"]
        ax.plot(curve.x, curve.y, "o")
        if drawing.reference is not None:
            teacher = drawing.reference["accuracy"]["by_class"]
            ax.plot(teacher.x, teacher.y, "x")
        ax.set(xlabel="digit", ylabel="accuracy")
        save(figure, folder / FOLDER / "accuracy.png")
        caption = f"Accuracy of the {drawing.model} by digit"
        return [Picture(caption=caption, path=folder / FOLDER / "accuracy.png")]

    def comparison(self, teacher: Mapping[str, float], student: Mapping[str, float]) -> Table:
        return Table(
            title="Teacher against student",
            columns=(Column(name="model"), Column(name="accuracy", numeric=True)),
            rows=[
                ["teacher", f"{teacher['accuracy']:.3f}"],
                ["student", f"{student['accuracy']:.3f}"],
            ],
        )

    def firmware_in_papers(self) -> None:
        return None

    def describe(self) -> TaskDescription:
        return TaskDescription(
            title="Digit reader",
            summary="A student that tells digits apart.",
            outputs=tuple(Quantity(name=f"logit of {digit}") for digit in range(CLASSES)),
            limitations=("It has seen no letters.",),
        )

    def error_head(self, constants: Path) -> None:
        return None

    def study(self) -> None:
        return None


def _read(path: Path) -> Items:
    with h5py.File(path) as file:
        return Items(values=file["images"][:], columns={"label": file["label"][:]})


TASK = DigitsTask()
