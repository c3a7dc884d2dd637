"""Evidence: everything measured of one student, by which it is judged now or later."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from l1distill.core.errors import DataError
from l1distill.core.workspace import read_json, write_json

Provenance = Literal["measured", "estimate"]
ESTIMATED = ("cost/",)
"""Beginnings of the names of metrics that always are estimates."""


def content_sha256(student: str, firmware: str) -> str:
    """Identify a student and its firmware together by what they are made of, not by any id.

    Args:
        student: SHA-256 of the student's folder.
        firmware: SHA-256 of the folder of its firmware.
    """
    return hashlib.sha256(f"{student}{firmware}".encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What was measured of a student and its firmware.

    Attributes:
        content_sha256: identity of student and firmware together.
        dataset_md5: the data set that its physics was measured on.
        metrics: of the student and its firmware.
        teacher_metrics: metrics of its teacher.
        estimates: those metrics that come from a model of what would be.
        files: SHA-256 of each file of the registered model; empty where it was not recorded.
    """

    content_sha256: str
    dataset_md5: str
    metrics: Mapping[str, float]
    teacher_metrics: Mapping[str, float] = field(default_factory=dict)
    estimates: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)

    def provenance(self, metric: str) -> Provenance:
        """Return whether a metric was counted or run, or comes from a model."""
        estimated = metric in self.estimates or metric.startswith(ESTIMATED)
        return "estimate" if estimated or "_estimate" in metric else "measured"

    def vectors(self, metric: str) -> float | None:
        """Return how many events a count of mismatches is about; None if that is not known."""
        prefix = metric[: len(metric) - len(metric.rpartition("/")[2])]
        return self.metrics.get(f"{prefix}verified_events")

    def write(self, path: Path) -> None:
        """Write it as JSON; numbers that are not finite are left out, as if not measured."""
        content = asdict(self)
        for name in ("metrics", "teacher_metrics"):
            content[name] = {key: v for key, v in content[name].items() if math.isfinite(v)}
        write_json(path, content)

    @classmethod
    def read(cls, path: Path) -> "Evidence":
        """Read what :meth:`write` wrote.

        Raises:
            DataError: the file is missing or holds something else.
        """
        content: dict[str, Any] = read_json(path)
        try:
            content["estimates"] = tuple(content["estimates"])
            return cls(**content)
        except (KeyError, TypeError) as error:
            raise DataError(
                f"{path}: is no evidence ({error}); promote the student again"
            ) from error
