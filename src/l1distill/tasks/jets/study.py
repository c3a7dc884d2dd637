"""The study of budgets on jets: what networks can be reduced to, from logged students."""

from collections.abc import Mapping
from pathlib import Path

from l1distill.artifacts.runs import RunFinder
from l1distill.core.errors import DataError
from l1distill.core.workspace import write_text
from l1distill.data.dataset import Dataset
from l1distill.evaluation.budgets import Unit, points, run_of
from l1distill.reporting.budget_page import BudgetPart, draw_budgets, render_budgets

METRIC = "auc"
_UNITS: Mapping[Unit, tuple[str, ...]] = {
    "nodes": ("nodes", "stability", "distilled"),
    "features": ("features",),
}
"""Which experiments count for each table."""


class BudgetStudy:
    """Writes how well students do that were left with few nodes or features.

    Source:
        The results that Cristoforetti et al. show ("Deep neural networks resizing for online event
        selection", slides, 2022).
    """

    def check(self, runs: RunFinder, dataset: Dataset, experiments: Mapping[str, str]) -> None:
        """Refuse a study without anything to begin with.

        Raises:
            DataError: no student was trained on the data set.
        """
        self._parts(runs, dataset, experiments)

    def write(
        self, runs: RunFinder, dataset: Dataset, experiments: Mapping[str, str], folder: Path
    ) -> Mapping[str, float]:
        """Write ``index.html``, ``report.md`` and ``plots/``.

        Args:
            runs: finds logged runs.
            dataset: the runs are about it.
            experiments: names of the experiments ``nodes``, ``stability``, ``distilled`` and
                ``features``.
            folder: to write into.

        Raises:
            DataError: no student was trained on it.
        """
        parts = self._parts(runs, dataset, experiments)
        training = dataset.card.files[dataset.training_sample]
        count = sum(len(point.runs) for part in parts for point in part.points)
        lead = (
            f"{count} networks that l1distill student trained on the data set "
            f"{dataset.card.dataset} ({dataset.md5[:12]}): {training.train} jets to train with, "
            f"{training.test} to test with."
        )
        pictures = [picture for part in parts for picture in draw_budgets(part, folder)]
        html, text = render_budgets("Networks reduced to a budget", lead, parts, pictures)
        write_text(folder / "index.html", html)
        write_text(folder / "report.md", text)
        return {
            f"{part.unit}_networks": float(sum(len(point.runs) for point in part.points))
            for part in parts
        }

    def _parts(
        self, runs: RunFinder, dataset: Dataset, experiments: Mapping[str, str]
    ) -> list[BudgetPart]:
        parts = []
        for unit, keys in _UNITS.items():
            logged = [
                run for key in keys for run in runs.find("student", experiments[key], dataset.md5)
            ]
            said = (run_of(unit, METRIC, one.parameters, one.metrics, one.tags) for one in logged)
            found = points(run for run in said if run is not None)
            if found:
                parts.append(BudgetPart(unit=unit, metric="AUC", points=found))
        if not parts:
            raise DataError(
                f"no finished student of a budget on data set {dataset.md5} in the store; begin "
                f"with l1distill student experiment={experiments['nodes']}"
            )
        return parts
