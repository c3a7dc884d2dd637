"""The study of searches from logged runs: which of them count, and what is read of them."""

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from l1distill.artifacts.runs import LoggedRun, RunFinder
from l1distill.core.errors import DataError
from l1distill.core.workspace import write_text
from l1distill.data.dataset import Dataset
from l1distill.evaluation.curves import Curve, read_curve
from l1distill.evaluation.searches import Search, read_search
from l1distill.reporting.pictures import Picture
from l1distill.reporting.plots.search_study import (
    STUDENT,
    TEACHER,
    draw_best_rocs,
    draw_compute,
    draw_signal_distances,
)
from l1distill.reporting.search_page import render

CURVES = "curves"
_CANDIDATES, _PROGRESS = "candidates.csv", "progress.csv"


class SearchStudy:
    """Writes what logged searches found; a study of every task."""

    def __init__(self, experiments: Sequence[str]) -> None:
        """Take the experiments that long searches were started with.

        Args:
            experiments: their names; the newest search of each strategy counts.
        """
        self._experiments = experiments

    def check(self, runs: RunFinder, dataset: Dataset, experiments: Mapping[str, str]) -> None:
        """Refuse a study without anything to begin with.

        Raises:
            DataError: there is no long search on the data set.
        """
        self._newest(runs, dataset)

    def write(
        self, runs: RunFinder, dataset: Dataset, experiments: Mapping[str, str], folder: Path
    ) -> Mapping[str, float]:
        """Write ``index.html``, ``report.md`` and ``plots/``.

        Args:
            runs: finds logged runs and their files.
            dataset: the long searches are about it.
            experiments: name of that with ``repeats``: short searches of several seeds, on any
                data set.
            folder: to write into.

        Raises:
            DataError: there is no long search on the data set, or a run lacks a file.
        """
        newest = self._newest(runs, dataset)
        with tempfile.TemporaryDirectory() as place:
            searches = [_read(runs, run, Path(place)) for run in newest.values()]
            repeated = _repeats(runs, experiments["repeats"], dataset.md5, Path(place))
            curves = {
                strategy: found
                for strategy, run in newest.items()
                if (found := _curves(runs, run, Path(place)))
            }
        first = [one for some in repeated.values() for one in some]
        pictures = _draw(searches, [*searches, *first], curves, dataset.signals, folder)
        lead = (
            f"{sum(one.candidates for one in searches):,} candidates of "
            f"{len(searches)} searches that l1distill search trained on the data set "
            f"{dataset.card.dataset} ({dataset.md5[:12]}): "
            + ", ".join(f"{one.candidates} with strategy={one.strategy}" for one in searches)
            + f"; {len(first)} short searches beside them."
        )
        html, text = render(lead, searches, repeated, pictures)
        write_text(folder / "index.html", html)
        write_text(folder / "report.md", text)
        return {
            "search_study/searches": float(len(searches) + len(first)),
            "search_study/candidates": float(sum(one.candidates for one in [*searches, *first])),
        }

    def _newest(self, runs: RunFinder, dataset: Dataset) -> dict[str, LoggedRun]:
        """Return the newest long search of each strategy."""
        newest: dict[str, LoggedRun] = {}
        for name in self._experiments:
            for run in runs.find("search", name, dataset.md5):
                newest.setdefault(run.parameters["strategy"], run)
        if not newest:
            raise DataError(
                f"no finished search of experiment={', '.join(self._experiments)} on data set "
                f"{dataset.md5} in the store; begin with l1distill search "
                f"experiment={self._experiments[0]}"
            )
        return newest


def _repeats(runs: RunFinder, experiment: str, md5: str, place: Path) -> dict[str, list[Search]]:
    """Return short searches by the data set they are on, the given one first."""
    newest: dict[tuple[str, str, str], LoggedRun] = {}
    for run in runs.find("search", experiment, None):
        key = run.tags.get("dataset_md5", ""), run.parameters["strategy"], run.parameters["seed"]
        newest.setdefault(key, run)
    found: dict[str, list[Search]] = {}
    for (of, _, _), run in sorted(newest.items(), key=lambda item: (item[0][0] != md5, item[0])):
        items = run.parameters.get("data.background")
        said = f"{int(items):,} background events" if items else "another data set"
        name = "the same data set" if of == md5 else f"data set {of[:12]}, {said}"
        found.setdefault(name, []).append(_read(runs, run, place))
    return found


def _read(runs: RunFinder, run: LoggedRun, place: Path) -> Search:
    folder = place / run.run_id
    folder.mkdir(exist_ok=True)
    try:
        runs.download(run.run_id, _CANDIDATES, folder)
        with suppress(FileNotFoundError):  # of a walk along the front
            runs.download(run.run_id, _PROGRESS, folder)
        return read_search(folder, run.parameters["strategy"], int(run.parameters["seed"]))
    except (OSError, KeyError, ValueError) as error:
        raise DataError(
            f"search {run.run_id}: its tables cannot be read ({error}); run it again"
        ) from error


def _curves(runs: RunFinder, run: LoggedRun, place: Path) -> dict[str, dict[str, Curve]]:
    """Return the ROC curves of the best finalist and its teacher; none where it has none."""
    try:
        runs.download(run.run_id, CURVES, place / run.run_id)
    except FileNotFoundError:
        return {}
    return {
        who: {
            path.stem: read_curve(path)
            for path in sorted((place / run.run_id / CURVES / who).glob("*.csv"))
        }
        for who in (STUDENT, TEACHER)
    }


def _draw(
    searches: Sequence[Search],
    every: Sequence[Search],
    curves: Mapping[str, Mapping[str, Mapping[str, Curve]]],
    signals: Sequence[str],
    folder: Path,
) -> list[Picture]:
    samples = [name for name in searches[0].distances if name in signals]
    pictures = [draw_signal_distances(searches, samples or [*searches[0].distances], folder)]
    if curves:
        known = [name for name in next(iter(curves.values()))[STUDENT] if name in signals]
        pictures.append(draw_best_rocs(curves, known, folder))
    return [*pictures, draw_compute(every, folder)]
