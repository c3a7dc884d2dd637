"""Gates: what a student must prove to be promoted, each on one metric."""

from collections.abc import Collection
from typing import Literal

from pydantic import Field, model_validator

from l1distill.core.settings import Settings

Reference = Literal["teacher", "champion", "candidate"]


class Gate(Settings):
    """Bounds on one metric, and what its measurement must be worth; a value at a bound passes."""

    metric: str
    """The metric's name, as in ``metrics.json``."""
    instead: str | None = None
    """The metric that is judged where a student has not the first, by the same bounds: a student
    that learned a decision has no score to compare with its teacher's. Null for none."""
    min: float | None = None
    """Smallest value that passes; null for no bound."""
    max: float | None = None
    """Largest value that passes; null for no bound."""
    relative_to: Reference | None = None
    """The bounds are relative to the same metric of the teacher or the champion, or to another
    metric of the candidate; null for absolute bounds. Without a champion such a gate passes."""
    relation: Literal["ratio", "difference"] = "ratio"
    """Relative bounds are factors of the reference, or added to it."""
    reference_metric: str | None = None
    """The metric of the reference; null for the same."""
    provenance: Literal["any", "measured"] = "any"
    """``measured`` refuses an estimate, which comes from a model of what would be."""
    vectors: int | None = Field(default=None, ge=1)
    """Fewest events that a count of mismatches must be about; null for any number."""
    sigmas: float | None = Field(default=None, ge=0)
    """Standard errors that must lie between value and bound; null to compare the value alone."""
    max_width: float | None = Field(default=None, gt=0)
    """Widest interval of 68.3% that passes; null for any, and for none."""

    @model_validator(mode="after")
    def _check(self) -> "Gate":
        if self.min is None and self.max is None:
            raise ValueError("a gate needs min, max or both, or it lets everything through")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min={self.min:g} is above max={self.max:g}: nothing would pass")
        if self.reference_metric is not None and self.relative_to is None:
            raise ValueError("reference_metric needs relative_to")
        if self.relative_to == "candidate" and self.reference_metric in (None, self.metric):
            raise ValueError("relative_to=candidate needs another reference_metric")
        if self.vectors is not None and not _counts_mismatches(self.metric):
            raise ValueError("vectors goes with a count of mismatches alone")
        return self

    def judged_on(self, metrics: Collection[str]) -> "Gate":
        """Return the gate with the metric that there is."""
        if self.instead is None or self.metric in metrics or self.instead not in metrics:
            return self
        return self.model_copy(update={"metric": self.instead, "instead": None})

    @property
    def threshold(self) -> str:
        """The condition, as a person writes it."""
        bounds = ((self.min, "≥"), (self.max, "≤"))
        return " and ".join(
            f"{sign} {self._bound(bound)}" for bound, sign in bounds if bound is not None
        )

    def _bound(self, bound: float) -> str:
        if self.relative_to is None:
            return f"{bound:g}"
        reference = self.reference_metric or self.relative_to
        if self.relation == "ratio":
            return f"{bound:g} × {reference}"
        return f"{reference} {'-' if bound < 0 else '+'} {abs(bound):g}"


def _counts_mismatches(metric: str) -> bool:
    return metric.rpartition("/")[2].startswith("mismatches")
