"""Log the outputs of a stage, when it runs or later from its folder alone."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from l1distill.artifacts.record import Record, read_metrics
from l1distill.core.workspace import folder_sha256
from l1distill.tracking.descriptions import HEADLINE, NOTE, describe_run, headline
from l1distill.tracking.lease import LENGTH_S, TAG, Keeper, kernel_clock, new_lease
from l1distill.tracking.lookup import find_model, find_run
from l1distill.tracking.run_names import run_name
from l1distill.tracking.runs import Run

if TYPE_CHECKING:
    from mlflow import MlflowClient


def log_outputs(run: Run, record: Record, folder: Path, tags: Mapping[str, str]) -> None:
    """Log the files, metrics and model of a stage's folder, for a live run or an imported one.

    Args:
        run: the open run.
        record: the record of the stage.
        folder: its outputs.
        tags: identity and lineage; ``output_sha256`` is what run and model are found by.
    """
    run.set_tags({**tags, "dataset_md5": record.dataset_md5})
    run.log_dataset(record.dataset, record.dataset_md5, context=record.stage)
    run.log_files(folder, record.artifacts)
    model_id = None
    if record.model is not None:
        model_id = run.log_model(record.model, folder, tags)
    elif record.describes is not None:
        model = find_model(run.client, record.inputs[record.describes])
        model_id = model.model_id if model else None
    run.log_metrics(read_metrics(folder), model_id=model_id)
    note = describe_run(run.client, run.client.get_run(run.run_id), record, folder)
    run.set_tags({NOTE: note, HEADLINE: json.dumps(headline(folder))})


def run_of(client: "MlflowClient", folder: Path) -> str:
    """Return the id of the run that wrote the content of ``folder``.

    A fresh clone with pulled outputs has no such run: it is then logged again from the record in
    the folder, tagged ``imported``. Call it while no run is open.

    Raises:
        DataError: the folder is not a stage's output.
    """
    record = Record.read(folder)
    sha256 = folder_sha256(folder)
    return find_run(client, record.stage, sha256) or _import_run(client, record, folder, sha256)


def _import_run(client: "MlflowClient", record: Record, folder: Path, sha256: str) -> str:
    import mlflow

    tags = {"stage": record.stage, "output_sha256": sha256, "imported": "true"}
    sources: dict[str, Mapping[str, str]] = {}
    for stage, input_sha256 in record.inputs.items():
        tags[f"{stage}_run"] = source = find_run(client, stage, input_sha256) or ""
        if source:
            sources[stage] = client.get_run(source).data.params
    name = run_name(record.stage, record.parameters, sources)
    clock = kernel_clock()
    lease = {TAG: new_lease(LENGTH_S, clock).to_tag()}
    with mlflow.start_run(run_name=name, tags=lease) as active:
        keeper = Keeper(client, active.info.run_id, LENGTH_S, clock)
        try:
            run = Run(client, active.info.run_id, active.info.experiment_id)
            run.log_parameters(record.parameters)
            log_outputs(run, record, folder, tags)
        finally:
            keeper.stop()
    return run.run_id
