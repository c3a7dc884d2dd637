"""Compare new events with a reference: every input, every output, and the trigger rate."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from l1distill.core.settings import Settings
from l1distill.evaluation.drift import RateChange, difference, rate_change


class DriftLimits(Settings):
    """From where on a difference is an alarm: it must be both large and significant."""

    psi_max: float = Field(default=0.25, gt=0)
    """Largest population stability index of an input or output that is no alarm; by custom 0.1 is
    a small shift and 0.25 a large one."""
    ks_max: float = Field(default=0.15, gt=0, lt=1)
    """Largest distance between two cumulative distributions that is no alarm."""
    rate_factor_max: float = Field(default=2.0, gt=1)
    """Largest factor, up or down, between the trigger rates that is no alarm."""
    false_alarm: float = Field(default=1e-3, gt=0, lt=1)
    """Probability that a comparison of events without any drift finds a significant difference;
    it is shared out among all that is compared (Bonferroni)."""
    sigmas: float = Field(default=1.0, ge=0)
    """Standard errors by which a difference must exceed its limit."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One comparison.

    Attributes:
        what: ``score``, ``rate``, or the name of an input.
        measure: ``psi``, ``ks`` or ``factor``.
        value: how large the difference is.
        error: standard error of the value.
        p_value: probability of it without drift, for this comparison alone.
        limit: largest value that is no alarm.
        drifted: whether it is large and significant.
    """

    what: str
    measure: str
    value: float
    error: float
    p_value: float
    limit: float
    drifted: bool


@dataclass(frozen=True, kw_only=True)
class DriftReport:
    """All comparisons of new events with a reference.

    Attributes:
        events: number of events of the reference and of the new ones.
        outputs: findings on the scores.
        inputs: findings on the inputs that vary.
        rate: shares that pass the threshold; None without a threshold.
        rate_findings: one finding on them, or none.
    """

    events: tuple[int, int]
    outputs: Sequence[Finding]
    inputs: Sequence[Finding]
    rate: RateChange | None
    rate_findings: Sequence[Finding]

    @property
    def findings(self) -> list[Finding]:
        """Every comparison: rate, scores, inputs."""
        return [*self.rate_findings, *self.outputs, *self.inputs]

    @property
    def drifted(self) -> list[Finding]:
        """Those that are alarms."""
        return [finding for finding in self.findings if finding.drifted]

    def largest(self, findings: Sequence[Finding], measure: str) -> Finding | None:
        """Return the finding of the largest value of a measure; None if there is none."""
        chosen = [finding for finding in findings if finding.measure == measure]
        return max(chosen, key=lambda finding: finding.value, default=None)

    def to_metrics(self, input_rate_khz: float | None = None) -> dict[str, float]:
        """Return flat metrics, the inputs by their largest difference.

        Args:
            input_rate_khz: rate of events like these before the trigger [kHz]; None leaves out
                rates in kHz.
        """
        metrics = {
            "drift/events_reference": float(self.events[0]),
            "drift/events_new": float(self.events[1]),
            "drift/alarms": float(len(self.drifted)),
        }
        for name, findings in (("score", self.outputs), ("inputs", self.inputs)):
            for measure in ("psi", "ks"):
                found = self.largest(findings, measure)
                if found is not None:
                    metrics[f"drift/{name}_{measure}"] = found.value
                    metrics[f"drift/{name}_{measure}_error"] = found.error
        if self.rate is not None:
            shares = {
                "reference": self.rate.reference,
                "new": self.rate.new,
                "new_low": self.rate.low,
                "new_high": self.rate.high,
            }
            metrics |= {f"drift/rate_{name}": share for name, share in shares.items()}
            if input_rate_khz is not None:
                metrics |= {
                    f"drift/rate_khz_{name}": share * input_rate_khz
                    for name, share in shares.items()
                }
        return metrics


def compare_with_reference(
    reference: Mapping[str, NDArray[np.floating[Any]]],
    new: Mapping[str, NDArray[np.floating[Any]]],
    features: Sequence[str],
    threshold: float | None,
    limits: DriftLimits,
) -> DriftReport:
    """Compare inputs and scores of new events with those of a reference.

    Args:
        reference: ``inputs`` (n, features) and ``scores`` (n, outputs).
        new: the same of m new events.
        features: names of the inputs.
        threshold: events of a higher score pass; None for no rate.
        limits: from where on a difference is an alarm.

    Raises:
        ValueError: a sample is empty.
    """
    events = (len(reference["scores"]), len(new["scores"]))
    outputs = reference["scores"].shape[1]
    names = ["score"] if outputs == 1 else [f"score {number}" for number in range(outputs)]
    scores = list(_columns(names, reference["scores"], new["scores"]))
    inputs = [
        (name, before, after)
        for name, before, after in _columns(features, reference["inputs"], new["inputs"])
        if min(before.min(), after.min()) < max(before.max(), after.max())
    ]
    compared = 2 * len(scores) + 2 * len(inputs) + (threshold is not None)
    judge = _Judge(limits, limits.false_alarm / compared)
    change = None
    if threshold is not None:
        passed = [int((sample["scores"][:, 0] > threshold).sum()) for sample in (reference, new)]
        change = rate_change((passed[0], passed[1]), events)
    return DriftReport(
        events=events,
        outputs=[found for column in scores for found in judge.distributions(*column)],
        inputs=[found for column in inputs for found in judge.distributions(*column)],
        rate=change,
        rate_findings=[] if change is None else [judge.rate(change)],
    )


def _columns(
    names: Sequence[str], reference: NDArray[Any], new: NDArray[Any]
) -> Iterator[tuple[str, NDArray[Any], NDArray[Any]]]:
    return zip(names, reference.T, new.T, strict=True)


@dataclass(frozen=True)
class _Judge:
    """Turns differences into findings.

    Attributes:
        limits: from where on they are alarms.
        significant: largest p-value of one comparison that is significant.
    """

    limits: DriftLimits
    significant: float

    def distributions(
        self, name: str, reference: NDArray[Any], new: NDArray[Any]
    ) -> Iterator[Finding]:
        found = difference(reference, new)
        for measure, one, limit in (
            ("psi", found.psi, self.limits.psi_max),
            ("ks", found.ks, self.limits.ks_max),
        ):
            large = one.value - self.limits.sigmas * one.error > limit
            yield Finding(
                what=name,
                measure=measure,
                value=one.value,
                error=one.error,
                p_value=one.p_value,
                limit=limit,
                drifted=large and one.p_value < self.significant,
            )

    def rate(self, change: RateChange) -> Finding:
        factor = max(change.ratio, 1.0 / change.ratio)
        least = factor * np.exp(-self.limits.sigmas * change.log_error)
        return Finding(
            what="rate",
            measure="factor",
            value=factor,
            error=factor * change.log_error,
            p_value=change.p_value,
            limit=self.limits.rate_factor_max,
            drifted=bool(least > self.limits.rate_factor_max) and change.p_value < self.significant,
        )
