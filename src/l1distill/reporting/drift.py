"""Show a comparison of new events with a reference: sentence, rows of a table, and pictures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.evaluation.monitoring import DriftReport, Finding
from l1distill.reporting.pictures import FOLDER, Picture
from l1distill.reporting.plots.drift import draw_bars, draw_compared

COLUMNS = ("what", "measure", "value", "limit", "p-value", "verdict")
LISTED = 8
"""Inputs that tables and bars show, those that differ most."""
DRAWN = 3
"""Inputs whose distributions are drawn."""
_MEASURES = {"psi": "PSI", "ks": "KS distance", "factor": "factor of the rate"}

Columns = Mapping[str, NDArray[np.floating[Any]]]
"""``inputs`` (n, features) and ``scores`` (n, outputs) of a sample."""


def conclusion(report: DriftReport, champion: str, input_rate_khz: float | None = None) -> str:
    """Return what was found, in a sentence or two.

    Args:
        report: all comparisons.
        champion: name and version of the champion.
        input_rate_khz: rate of such events before the trigger [kHz], if it is known.
    """
    against = f"{report.events[1]:,} new events against {report.events[0]:,} at promotion"
    if not report.drifted:
        verdict = f"{champion}: no drift in {len(report.findings)} comparisons of {against}"
    else:
        worst = "; ".join(map(in_words, _most_telling(report.drifted)))
        verdict = (
            f"{champion}: drift in {len(report.drifted)} of {len(report.findings)} comparisons of "
            f"{against}: {worst}"
        )
    return f"{verdict}{_rate(report, input_rate_khz)}"


def in_words(finding: Finding) -> str:
    """Return a finding in a few words."""
    return (
        f"{finding.what} {_MEASURES[finding.measure]} {_value(finding)} (limit {finding.limit:g})"
    )


def rows(report: DriftReport) -> list[list[str]]:
    """Return the rows of a table: rate, scores, and the inputs that differ most."""
    inputs = sorted(report.inputs, key=lambda one: one.value / one.limit, reverse=True)
    return [
        [
            finding.what,
            _MEASURES[finding.measure],
            _value(finding),
            f"{finding.limit:g}",
            f"{finding.p_value:.2g}",
            "drift" if finding.drifted else "ok",
        ]
        for finding in [*report.rate_findings, *report.outputs, *inputs[:LISTED]]
    ]


def draw(
    report: DriftReport,
    features: Sequence[str],
    reference: Columns,
    new: Columns,
    threshold: float | None,
    folder: Path,
) -> list[Picture]:
    """Draw scores, the inputs that differ most, and how much they do, below ``folder/plots``.

    Args:
        report: all comparisons.
        features: names of the inputs.
        reference: inputs and scores at promotion.
        new: those of the new events.
        threshold: of the working point, if there is one.
        folder: to write into.
    """
    plots = folder / FOLDER
    scores = {
        finding.what: (reference["scores"][:, number], new["scores"][:, number])
        for number, finding in enumerate(report.outputs[::2])
    }
    shown = dict(list(scores.items())[:DRAWN])
    draw_compared(shown, plots / "scores.png", threshold)
    pictures = [Picture(caption="Scores at promotion and now", path=plots / "scores.png")]
    stable = [finding for finding in report.inputs if finding.measure == "psi"]
    worst = sorted(stable, key=lambda one: one.value, reverse=True)[:LISTED]
    if worst:
        places = {finding.what: list(features).index(finding.what) for finding in worst[:DRAWN]}
        draw_compared(
            {
                name: (reference["inputs"][:, place], new["inputs"][:, place])
                for name, place in places.items()
            },
            plots / "inputs.png",
        )
        draw_bars(
            [finding.what for finding in worst],
            [finding.value for finding in worst],
            [finding.error for finding in worst],
            worst[0].limit,
            "population stability index",
            plots / "stability.png",
        )
        pictures += [
            Picture(caption="Inputs that differ most", path=plots / "inputs.png"),
            Picture(caption="By how much inputs differ", path=plots / "stability.png"),
        ]
    return pictures


def _most_telling(drifted: Sequence[Finding]) -> list[Finding]:
    """Return the alarms on rate and scores, and the largest of an input."""
    outputs = [one for one in drifted if one.what == "rate" or one.what.startswith("score")]
    inputs = [one for one in drifted if one not in outputs]
    return [*outputs, *sorted(inputs, key=lambda one: -one.value / one.limit)[:1]]


def _rate(report: DriftReport, input_rate_khz: float | None) -> str:
    rate = report.rate
    if rate is None:
        return "; no trigger rate, as the student has several outputs"
    scale, unit = (100.0, "%") if input_rate_khz is None else (input_rate_khz, " kHz")
    return (
        f"; rate at the working point {scale * rate.new:.3g}{unit} "
        f"[{scale * rate.low:.3g}, {scale * rate.high:.3g}], at promotion "
        f"{scale * rate.reference:.3g}{unit}"
    )


def _value(finding: Finding) -> str:
    return f"{finding.value:.3g} ± {finding.error:.2g}"
