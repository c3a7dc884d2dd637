"""Pictures of a trained anomaly detector: scores, ROC curves, the most anomalous events."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.data.dataset import Dataset
from l1distill.reporting.pictures import FOLDER, Picture
from l1distill.tasks.anomaly.evaluation import ROC, separate
from l1distill.tasks.anomaly.plots.display import Shown, draw_display
from l1distill.tasks.anomaly.plots.style import label
from l1distill.tasks.anomaly.plots.training import draw_rocs, draw_scores, draw_scores_compared
from l1distill.tasks.anomaly.settings import SPANS_MAGNITUDES
from l1distill.tasks.records import Drawing

BACKGROUND_EVENTS = 4
"""Events of the background in the display, beside one of each signal."""


def draw_model(drawing: Drawing, dataset: Dataset, folder: Path) -> list[Picture]:
    """Draw a teacher or a student into ``folder/plots``.

    Args:
        drawing: its answers and their evaluations.
        dataset: what they are about.
        folder: of the model.

    Returns:
        The pictures that a report shows.
    """
    results = {name: separate(by_name, dataset) for name, by_name in drawing.answers.items()}
    scores = {
        name: values.reshape(len(values))
        for name, values in drawing.answers[drawing.primary].items()
    }
    signals = {name: of for name, of in scores.items() if name != dataset.training_sample}
    plots, is_teacher = folder / FOLDER, drawing.model == "teacher"
    score = f"teacher's anomaly score ({drawing.primary})"
    draw_scores(
        scores[dataset.training_sample],
        signals,
        plots / "scores.png",
        score if is_teacher else "student's anomaly score",
        log=is_teacher and drawing.primary in SPANS_MAGNITUDES,
    )
    reference = drawing.reference[ROC] if drawing.reference else None
    draw_rocs(results[drawing.primary], plots / "roc.png", reference)
    draw_display(most_anomalous(scores, dataset), plots / "display.png")
    display = Picture(
        caption=f"The most anomalous events, as the {drawing.model} sees it: "
        f"{BACKGROUND_EVENTS} of the background, one of each signal",
        path=plots / "display.png",
    )
    if is_teacher:
        draw_scores_compared(results, plots)
        return [Picture(caption="The teacher's score", path=plots / "scores.png"), display]
    return [
        Picture(
            caption="Student (solid) and teacher (dashed) on every signal",
            path=plots / "roc.png",
        ),
        Picture(caption="The student's score, quantized as in firmware", path=plots / "scores.png"),
        display,
    ]


def most_anomalous(
    scores: Mapping[str, NDArray[np.floating[Any]]], dataset: Dataset
) -> list[Shown]:
    """Choose the events of the highest scores, those of the background first.

    Args:
        scores: (n,) of the evaluation items of each sample.
        dataset: has the events.
    """
    shown = []
    for name, values in scores.items():
        number = BACKGROUND_EVENTS if name == dataset.training_sample else 1
        start = dataset.evaluation_rows(name).start
        events = dataset.sample(name).items.values
        for row in np.argsort(-values, kind="stable")[:number]:
            title = f"{label(name)}, score {values[row]:.3g}"
            shown.append(Shown(title=title, objects=np.asarray(events[start + row])))
    return shown
