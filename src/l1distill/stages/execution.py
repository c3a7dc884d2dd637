"""Runs a stage: inputs checked, run opened, work done, logged, and the output replaced."""

import hashlib
import json
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from l1distill.artifacts.record import RECORD, Record
from l1distill.core.errors import ConfigError, DataError, L1DistillError, NegativeVerdict
from l1distill.core.resources import resource_errors_as_one_line
from l1distill.core.workspace import folder_sha256, output_folder, read_json
from l1distill.stages.input_folders import check_folders
from l1distill.stages.results import write_results
from l1distill.stages.sections import WHERE, WHERE_AND_HOW
from l1distill.stages.stage import Context, Inputs, S, Stage
from l1distill.tasks.base import Task
from l1distill.tracking.output_lock import TAG as LOCK
from l1distill.tracking.output_lock import lock_identity
from l1distill.tracking.outputs import log_outputs, run_of
from l1distill.tracking.run_names import run_name
from l1distill.tracking.runs import stage_run
from l1distill.tracking.store import connect
from l1distill.tracking.store_errors import store_errors_as_one_line

DATA_FOLDER = "data.folder"
"""The one key of the data set that says where it is; all others say how it is made. Of an existing
data set its record says that, whatever the configuration does."""


def execute(
    stage: Stage[S],
    settings: S,
    task: Task,
    parameters: Mapping[str, Any],
    tags: Mapping[str, str] | None = None,
) -> None:
    """Run a stage.

    Args:
        stage: which stage.
        settings: its typed settings.
        task: the problem that it works on.
        parameters: the composed configuration, flat, as it is to be logged.
        tags: of the run, beside those that say what it is and where it comes from.

    Raises:
        DataError: an input is missing or unusable.
        ConfigError: the output belongs to somebody else.
        ResourceError: the tracking store or the output is out of reach.
        NegativeVerdict: the stage did its work, and the verdict is no.
    """
    inputs = stage.inputs(settings)
    read = check_inputs(stage, settings, task)
    records, hashes = read.records, read.hashes
    with store_errors_as_one_line():
        if stage.rehearse(settings, read):
            return
    _check_output(settings.output, stage.name)
    with (
        resource_errors_as_one_line(settings.output),
        store_errors_as_one_line(),
        output_folder(settings.output) as output,
        ExitStack() as held,
    ):
        store = connect(settings.tracking)
        lineage = {f"{name}_run": run_of(store.client, folder) for name, folder in inputs.items()}
        parameters = _as_generated(parameters, records)
        made_with = {name: record.parameters for name, record in records.items()}
        words = (tags or {}).get("overrides", "").split()
        title = run_name(stage.name, parameters, made_with, words)
        held_lock = {LOCK: lock_identity(output.lock)}
        with stage_run(store, stage.name, {**(tags or {}), **held_lock}, title) as run:
            run.log_parameters(parameters)
            deciding = deciding_parameters(parameters)
            context = Context(
                task=task,
                run=run,
                folder=output.folder,
                work=output.work,
                records=records,
                hashes=hashes,
                identity=_identity(stage.name, deciding, hashes),
                held=held,
            )
            start = time.monotonic()
            result = stage.run(settings, context)
            record = write_results(
                stage, result, deciding, hashes, output.folder, settings.data.name
            )
            known_by = {"output_sha256": folder_sha256(output.folder), **lineage}
            with run.stopwatch:
                log_outputs(run, record, output.folder, known_by)
            if result.tracking_share:
                share = run.stopwatch.seconds / (time.monotonic() - start)
                run.log_metrics({result.tracking_share: share})
            output.publish()
            if result.interrupted:
                raise KeyboardInterrupt(f"what there is was written to {settings.output}")
        result.conclude()
    if result.refusal:
        raise NegativeVerdict(result.refusal)


def check_inputs(stage: Stage[S], settings: S, task: Task) -> Inputs:
    """Read the records of what a stage reads, and refuse what it cannot use.

    Raises:
        DataError: an input is missing, damaged, of another task, or not made from the others.
        ConfigError: the settings ask for what the inputs do not allow.
    """
    inputs = stage.inputs(settings)
    check_folders(inputs)
    records = {name: Record.read(folder) for name, folder in inputs.items()}
    hashes = {name: folder_sha256(folder) for name, folder in inputs.items()}
    _check_task(records, inputs, task)
    with store_errors_as_one_line():
        if stage.check is not None:  # first, as it can say which file of another lineage differs
            stage.check(settings, task)
    _check_lineage(records, hashes, inputs)
    return Inputs(records=records, hashes=hashes)


def is_current(stage: Stage[S], settings: S, parameters: Mapping[str, Any]) -> bool:
    """Return whether a stage's output is there, made with these settings from these inputs.

    Of the code it says nothing.

    Args:
        stage: which stage.
        settings: its typed settings.
        parameters: the composed configuration, flat.
    """
    inputs = stage.inputs(settings)
    try:
        made = Record.read(settings.output)
        records = {name: Record.read(folder) for name, folder in inputs.items()}
    except DataError:
        return False
    asked = deciding_parameters(_as_generated(parameters, records))
    hashes = {name: folder_sha256(folder) for name, folder in inputs.items()}
    same_inputs = all(made.inputs.get(name) == sha256 for name, sha256 in hashes.items())
    return made.stage == stage.name and same_inputs and _plain(made.parameters) == _plain(asked)


def deciding_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out of a flat configuration what does not change what comes out."""
    return {
        key: value
        for key, value in parameters.items()
        if key.split(".")[0] not in WHERE_AND_HOW and key not in WHERE
    }


def _plain(parameters: Mapping[str, Any]) -> Any:
    return json.loads(json.dumps(dict(parameters), default=str))


def _identity(stage: str, parameters: Mapping[str, Any], inputs: Mapping[str, str]) -> str:
    content = json.dumps([stage, parameters, inputs], sort_keys=True, default=str)
    return hashlib.sha256(content.encode()).hexdigest()


def _as_generated(
    parameters: Mapping[str, Any], records: Mapping[str, Record]
) -> Mapping[str, Any]:
    """Replace what the configuration says of the data by what they were made with."""
    if not records:
        return parameters
    made_with = next(iter(records.values())).parameters
    return {
        **{key: value for key, value in parameters.items() if not _describes_data(key)},
        **{key: value for key, value in made_with.items() if _describes_data(key)},
    }


def _describes_data(key: str) -> bool:
    return key.startswith("data.") and key != DATA_FOLDER


def _check_output(folder: Path, stage: str) -> None:
    """Refuse to replace what this stage did not write: somebody's folder, or another stage's."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise ConfigError(f"{folder}: is a file; choose another output=")
    record = folder / RECORD
    if not record.is_file():
        if any(folder.iterdir()):
            raise ConfigError(f"{folder}: holds files that are not ours; choose another output=")
        return
    try:
        written_by = read_json(record).get("stage")
    except L1DistillError:
        return  # damaged, and about to be replaced
    if written_by != stage:
        raise ConfigError(f"{folder}: holds the output of {written_by}; choose another output=")


def _check_task(records: Mapping[str, Record], folders: Mapping[str, Path], task: Task) -> None:
    """Refuse inputs of another task."""
    for name, record in records.items():
        written_for = record.parameters.get("task.name")
        if written_for is None:
            raise DataError(
                f"{folders[name]}: written by a version of l1distill that knew no tasks; "
                f"run {name} again"
            )
        if written_for != task.name:
            raise DataError(
                f"{folders[name]}: written for task={written_for}, this is task={task.name}; "
                f"run {name} again, or choose task={written_for}"
            )


def _check_lineage(
    records: Mapping[str, Record], hashes: Mapping[str, str], folders: Mapping[str, Path]
) -> None:
    """Refuse inputs that were not made from one another."""
    for name, record in records.items():
        if record.stage != name:
            raise DataError(
                f"{folders[name]}: written by the stage {record.stage}, needed from {name}"
            )
        for source, sha256 in record.inputs.items():
            if source in hashes and hashes[source] != sha256:
                raise DataError(
                    f"{folders[name]}: made from another {folders[source]} than the one there "
                    f"now; run {name} again"
                )
