"""Write what every stage writes beside its own files: metrics, summary and record."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from l1distill.artifacts.record import METRICS, SUMMARY, Record
from l1distill.core.workspace import file_hashes, write_json
from l1distill.stages.stage import Result, S, Stage


def write_results(
    stage: Stage[S],
    result: Result,
    deciding: Mapping[str, Any],
    hashes: Mapping[str, str],
    folder: Path,
    dataset: str,
) -> Record:
    """Write metrics, summary and record into a stage's folder.

    Args:
        stage: which stage.
        result: what it found.
        deciding: the parameters that decide what comes out.
        hashes: the SHA-256 of the folders that it read, by the stage that wrote them.
        folder: holds everything else that the stage writes.
        dataset: name of the data set, where neither result nor parameters say it.

    Returns:
        The record.
    """
    write_json(folder / METRICS, result.metrics)
    write_json(folder / SUMMARY, _summary(result))
    if result.dataset is not None:
        deciding = {key: v for key, v in deciding.items() if not key.startswith("data.")}
    record = Record(
        stage=stage.name,
        parameters=dict(deciding),
        inputs={**hashes, **result.sources},
        dataset=result.dataset or deciding.get("data.name", dataset),
        dataset_md5=result.dataset_md5,
        files=file_hashes(folder),
        artifacts=list(stage.artifacts),
        model=result.model,
        describes=result.describes,
        note=result.note,
    )
    record.write(folder)
    return record


def _summary(result: Result) -> dict[str, float]:
    """Return the headline metrics.

    ``dvc metrics show`` makes a column of each name in any summary, and a row of each file: what
    the row says already is left out of the name, so that the table fits a terminal.
    """
    return {name.removeprefix("firmware/"): result.metrics[name] for name in result.headline}
