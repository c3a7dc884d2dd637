"""What a stage is, and the one way in which all of them are run."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, Generic, NamedTuple, TypeVar

from pydantic import Field, model_validator

from l1distill.core.errors import ConfigError, L1DistillError
from l1distill.core.progress import progress
from l1distill.core.resources import resource_errors_as_one_line
from l1distill.core.settings import Settings
from l1distill.core.workspace import (
    file_hashes,
    folder_sha256,
    output_folder,
    read_json,
    write_json,
)
from l1distill.executor import ExecutorSettings
from l1distill.tasks.anomaly.generator.settings import GeneratorSettings
from l1distill.tasks.anomaly.readers.settings import EventFiles
from l1distill.tracking import (
    METRICS,
    RECORD,
    ModelSpec,
    Record,
    Run,
    TrackingSettings,
    connect,
    log_outputs,
    run_of,
    stage_run,
    store_errors_as_one_line,
)


class DataSettings(Settings):
    """The data set of the line: generated, or made from files."""

    name: str
    folder: Path
    generator: GeneratorSettings | None = None
    files: EventFiles | None = None

    @model_validator(mode="after")
    def _one_source(self) -> "DataSettings":
        if (self.generator is None) == (self.files is None):
            raise ValueError("events come from data.generator or from data.files; choose one data=")
        return self


class StageSettings(Settings):
    """What every stage is told."""

    seed: int = Field(ge=0, lt=2**32)
    executor: ExecutorSettings
    """Where work is fanned out."""
    output: Path
    """The folder that the stage writes."""
    data: DataSettings
    tracking: TrackingSettings


WHERE_AND_HOW = {"output", "executor", "tracking"}
"""Sections of the configuration that do not change what comes out, and so are not recorded."""

SOURCE = ("data.name", "data.generator.", "data.files.")
"""Keys of the configuration that say where events come from; of an existing data set its record
says it, whatever the configuration does."""

S = TypeVar("S", bound=StageSettings)


class Context(NamedTuple):
    """What a running stage may use."""

    run: Run
    """Its open MLflow run."""
    folder: Path
    """Where it writes; becomes the output when it succeeds."""
    work: Path
    """Where it may keep work that survives a kill."""
    records: Mapping[str, Record]
    """The accounts of the stages it reads from."""
    hashes: Mapping[str, str]
    """The SHA-256 of their output folders."""
    identity: str
    """One hash of everything that decides what comes out: settings and inputs."""

    @property
    def checkpoint(self) -> Path:
        """Where a training keeps its state, apart from that of any other training."""
        self.work.mkdir(parents=True, exist_ok=True)
        return self.work / f"training-{self.identity[:16]}.npz"

    @contextmanager
    def epochs(
        self, description: str, total: int
    ) -> Iterator[Callable[[int, Mapping[str, float]], None]]:
        """Shows the progress of a training and logs the losses of each epoch."""
        with progress(description, total, "epochs") as advance:

            def on_epoch(epoch: int, losses: Mapping[str, float]) -> None:
                self.run.log_metrics(losses, step=epoch)
                advance(1)

            yield on_epoch


class Result(NamedTuple):
    """What a stage has to say for itself."""

    metrics: Mapping[str, float]
    dataset_md5: str
    model: ModelSpec | None = None
    """The model that its folder holds."""
    describes: str | None = None
    """The input whose model its metrics are about."""
    dataset: str | None = None
    """What its events are called, where they are not those of the data set."""
    sources: Mapping[str, str] = MappingProxyType({})
    """What it read beside the outputs of stages: a name to its SHA-256."""


class Stage(NamedTuple, Generic[S]):
    """One box of the line."""

    name: str
    settings: type[S]
    inputs: Callable[[S], Mapping[str, Path]]
    """The folders it reads, by the name of the stage that wrote them."""
    run: Callable[[S, Context], Result]
    """Does the work and writes into the context's folder."""
    artifacts: tuple[str, ...]
    """Globs of the outputs that are logged to MLflow."""


def execute(
    stage: Stage[S],
    settings: S,
    parameters: Mapping[str, Any],
    tags: Mapping[str, str] | None = None,
) -> None:
    """Runs a stage: inputs checked, run opened, work done, logged, and the output replaced.

    Args:
        stage: which stage.
        settings: its typed settings.
        parameters: the composed configuration, flat, as it is to be logged.
        tags: of the run, beside those that say what it is and where it comes from.

    Raises:
        ConfigError: an input is missing or unusable, or the store or the output is out of reach.
    """
    inputs = stage.inputs(settings)
    records = {name: Record.read(folder) for name, folder in inputs.items()}
    hashes = {name: folder_sha256(folder) for name, folder in inputs.items()}
    _check_lineage(records, hashes, inputs)
    _check_output(settings.output, stage.name)
    with (
        resource_errors_as_one_line(settings.output),
        store_errors_as_one_line(),
        output_folder(settings.output) as output,
    ):
        store = connect(settings.tracking)
        lineage = {f"{name}_run": run_of(store.client, folder) for name, folder in inputs.items()}
        parameters = _as_generated(parameters, records)
        with stage_run(store, stage.name, tags) as run:
            run.log_parameters(parameters)
            deciding = {
                key: value
                for key, value in parameters.items()
                if key.split(".")[0] not in WHERE_AND_HOW
            }
            identity = _identity(stage.name, deciding, hashes)
            context = Context(run, output.folder, output.work, records, hashes, identity)
            result = stage.run(settings, context)
            write_json(output.folder / METRICS, result.metrics)
            if result.dataset is not None:
                deciding = {k: v for k, v in deciding.items() if not k.startswith("data.")}
            record = Record(
                stage=stage.name,
                parameters=deciding,
                inputs={**hashes, **result.sources},
                dataset=result.dataset or parameters.get("data.name", settings.data.name),
                dataset_md5=result.dataset_md5,
                files=file_hashes(output.folder),
                artifacts=list(stage.artifacts),
                model=result.model,
                describes=result.describes,
            )
            record.write(output.folder)
            known_by = {"output_sha256": folder_sha256(output.folder), **lineage}
            log_outputs(run, record, output.folder, known_by)
            output.publish()


def _identity(stage: str, parameters: Mapping[str, Any], inputs: Mapping[str, str]) -> str:
    content = json.dumps([stage, parameters, inputs], sort_keys=True, default=str)
    return hashlib.sha256(content.encode()).hexdigest()


def _as_generated(
    parameters: Mapping[str, Any], records: Mapping[str, Record]
) -> Mapping[str, Any]:
    """Replaces what the configuration says of the data by what they were made with."""
    if not records:
        return parameters
    truth = next(iter(records.values())).parameters
    source = {key: value for key, value in truth.items() if key.startswith(SOURCE)}
    others = {key: value for key, value in parameters.items() if not key.startswith(SOURCE)}
    return {**others, **source}


def _check_output(folder: Path, stage: str) -> None:
    """Refuses to replace what this stage did not write: somebody's folder, or another stage's."""
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


def _check_lineage(
    records: Mapping[str, Record], hashes: Mapping[str, str], folders: Mapping[str, Path]
) -> None:
    """Refuses inputs that were not made from one another."""
    for name, record in records.items():
        if record.stage != name:
            raise ConfigError(
                f"{folders[name]}: written by the stage {record.stage}, needed from {name}"
            )
        for source, sha256 in record.inputs.items():
            if source in hashes and hashes[source] != sha256:
                raise ConfigError(
                    f"{folders[name]}: made from another {folders[source]} than the one there "
                    f"now; run {name} again"
                )
