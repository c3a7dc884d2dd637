"""Evaluation of weights: resolutions of missing momentum and jets, beside methods without training.

All stand on the same events of the test sample; errors are of a bootstrap over events.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.data.dataset import Dataset
from l1distill.evaluation.curves import Curve
from l1distill.evaluation.evaluation import Evaluation
from l1distill.tasks.pileup.dataset import TEST
from l1distill.tasks.pileup.particles import NUMBERS
from l1distill.tasks.pileup.response_blocks import responses_to_weights
from l1distill.tasks.pileup.responses import Responses, ResponseSettings, ratio, summarize
from l1distill.tasks.records import Answers, Services

PTMISS, JETS = "ptmiss", "jet_pt"
TITLES = {PTMISS: "Missing pT", JETS: "Jet pT"}
PUPPI, TEACHER, STUDENT = "puppi", "teacher", "student"
WEIGHTS = "weights"
"""Family of curves: the distribution of each model's weights."""
_BINS = 25
_RESPONSES = np.linspace(-1.0, 1.5, 61)


def evaluate_weights(
    answers: Mapping[str, Answers],
    dataset: Dataset,
    settings: ResponseSettings,
    services: Services | None = None,
) -> Evaluation:
    """Compare a model's weights with those of methods without training, and with its teacher's.

    Args:
        answers: the model that is evaluated first, ``teacher`` or ``student``, with its weights of
            the evaluation items; behind a student its teacher.
        dataset: they are of its particles.
        settings: which events and jets count.
        services: where responses are measured, a block of events at a time; None: here.

    Returns:
        Of ``ptmiss`` and ``jet_pt`` by method ``resolution``, ``bias`` (median response) and
        ``corrected`` (resolution over one plus bias), with errors; of models ``ratio_to_puppi`` and
        of a student ``ratio_to_teacher``, with errors that leave out what both have in common;
        ``improvement``, which is one less the ratio to PUPPI; and of a student and PUPPI
        ``accuracy`` and ``histogram_overlap``. What no event or jet was found for is left out.
    """
    weights = {name: np.clip(_of_test(given), 0.0, 1.0) for name, given in answers.items()}
    responses = responses_to_weights(weights, dataset, settings, services)
    model = next(iter(answers))
    metrics: dict[str, float] = {}
    for quantity, by_method in responses.items():
        metrics |= _resolutions(quantity, by_method)
        for name in answers:
            metrics |= _ratio(quantity, by_method, name, PUPPI)
        if model != TEACHER and TEACHER in answers:
            metrics |= _ratio(quantity, by_method, model, TEACHER)
        to_puppi = metrics.get(f"ratio_to_puppi/{quantity}/{model}", np.nan)
        metrics[f"improvement/{quantity}"] = 1.0 - to_puppi
    items = dataset.sample(TEST).items.values
    shown = {PUPPI: items[:, NUMBERS.index(PUPPI)].astype(np.float32), **weights}
    if TEACHER in weights:
        for name, values in shown.items():
            if name != TEACHER:
                metrics |= _alike(name, values, weights[TEACHER])
    names = [f"resolution/{quantity}/{model}" for quantity in (PTMISS, JETS)]
    metrics = {name: value for name, value in metrics.items() if np.isfinite(value)}
    return Evaluation(
        metrics=metrics,
        curves=_curves(responses, shown),
        primary=f"improvement/{JETS}",
        headline=tuple(name for name in names if name in metrics),
    )


def histogram_accuracy(weights: NDArray[Any], teacher: NDArray[Any], bins: int = _BINS) -> float:
    """Compute the accuracy of Bal et al. (section 4.2): how alike two histograms of weights are.

    It is the mean over bins of the number of weights over the number of the teacher's, and above 1
    where there are more of them; bins without any of the teacher's are left out.

    Args:
        weights: (n,) in [0, 1].
        teacher: (n,) likewise, of the same particles.
        bins: of equal width; the paper leaves their number open.
    """
    ours, theirs = (np.histogram(values, bins, (0.0, 1.0))[0] for values in (weights, teacher))
    return float(np.mean(ours[theirs > 0] / theirs[theirs > 0]))


def histogram_overlap(weights: NDArray[Any], teacher: NDArray[Any], bins: int = _BINS) -> float:
    """Compute the mean over bins of the smaller of two numbers of weights over the larger.

    It is what :func:`histogram_accuracy` is where no bin has too many; bins that are empty in both
    are left out.
    """
    ours, theirs = (np.histogram(values, bins, (0.0, 1.0))[0] for values in (weights, teacher))
    most = np.maximum(ours, theirs)
    return float(np.mean(np.minimum(ours, theirs)[most > 0] / most[most > 0]))


def _alike(name: str, weights: NDArray[Any], teacher: NDArray[Any]) -> dict[str, float]:
    return {
        f"accuracy/{name}": histogram_accuracy(weights, teacher),
        f"histogram_overlap/{name}": histogram_overlap(weights, teacher),
    }


def _ratio(
    quantity: str, methods: Mapping[str, Responses], ours: str, theirs: str
) -> dict[str, float]:
    if not (len(methods[ours].values) and len(methods[theirs].values)):
        return {}
    value, error = ratio(methods[ours], methods[theirs])
    return {
        f"ratio_to_{theirs}/{quantity}/{ours}": value,
        f"ratio_to_{theirs}_error/{quantity}/{ours}": error,
    }


def _of_test(answers: Answers) -> NDArray[np.float32]:
    given = answers[TEST]
    return given.reshape(len(given)).astype(np.float32)


def _resolutions(quantity: str, methods: Mapping[str, Responses]) -> dict[str, float]:
    metrics: dict[str, float] = {}
    for name, responses in methods.items():
        found = summarize(responses)
        for kind, value, error in (
            ("resolution", found.resolution, found.error),
            ("bias", found.bias, found.bias_error),
            ("corrected", found.corrected, found.corrected_error),
        ):
            metrics[f"{kind}/{quantity}/{name}"] = value
            metrics[f"{kind}_error/{quantity}/{name}"] = error
    metrics[f"responses/{quantity}"] = float(len(methods[PUPPI].values))
    return metrics


def _curves(
    responses: Mapping[str, Mapping[str, Responses]], weights: Mapping[str, NDArray[Any]]
) -> dict[str, dict[str, Curve]]:
    """Return the distributions of responses and of weights, as shares of a bin."""
    curves = {
        f"response_{quantity}": {
            name: _shares(found.values, _RESPONSES, "response") for name, found in by_method.items()
        }
        for quantity, by_method in responses.items()
    }
    edges = np.linspace(0.0, 1.0, _BINS + 1)
    curves[WEIGHTS] = {name: _shares(values, edges, "weight") for name, values in weights.items()}
    return curves


def _shares(values: NDArray[Any], edges: NDArray[np.float64], name: str) -> Curve:
    counts = np.histogram(values, edges)[0]
    return Curve(
        x=(edges[:-1] + edges[1:]) / 2,
        y=counts / max(len(values), 1),
        x_name=name,
        y_name="share",
    )
