"""What a stage is: its settings, its inputs, and what it may use while it runs."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import Field, create_model
from pydantic.fields import FieldInfo

from l1distill.artifacts.record import ModelSpec, Record
from l1distill.core.progress import Advance, progress
from l1distill.core.settings import Settings
from l1distill.tasks.base import Task
from l1distill.tasks.settings import DataSettings, TaskSettings
from l1distill.tracking.settings import TrackingSettings

if TYPE_CHECKING:
    from l1distill.tracking.runs import Run
    from l1distill.training.fit import OnEpoch


class StageSettings(Settings):
    """Settings that every stage has."""

    task: TaskSettings
    """The problem: its data, teachers, input encoding, targets and evaluation."""
    seed: int = Field(default=2026, ge=0, lt=2**32)
    """Seed of data, weights, shuffling and noise."""
    output: Path
    """The folder that the stage writes."""
    data: DataSettings
    """The data set, and where its items come from."""
    tracking: TrackingSettings = TrackingSettings()
    """Where runs and models are logged."""


S = TypeVar("S", bound=StageSettings)


def specialize(settings: type[S], task: Task, **sections: type[Settings]) -> type[S]:
    """Return a stage's settings with the types of a task in place of the general ones.

    Args:
        settings: of the stage.
        task: brings the type of ``data``.
        sections: further sections of the configuration to the task's types.
    """
    types = {"data": task.settings.data, **sections}
    return _specialized(settings, tuple(types.items()))  # type: ignore[return-value]


@cache  # pydantic reads the source of a class each time for the docstrings of its fields
def _specialized(
    settings: type[StageSettings], types: tuple[tuple[str, type[Settings]], ...]
) -> type[StageSettings]:
    fields: Any = {
        name: (section, _field(settings.model_fields[name], section)) for name, section in types
    }
    return create_model(settings.__name__, __base__=settings, __doc__=settings.__doc__, **fields)


def _field(general: FieldInfo, section: type[Settings]) -> Any:
    """Return the field of a task's type in place of the general one: required if that is."""
    if general.is_required():
        return Field(description=general.description)
    return Field(default_factory=section, description=general.description)


@dataclass(frozen=True, kw_only=True)
class Context:
    """What a running stage may use.

    Attributes:
        task: the problem.
        run: its open MLflow run.
        folder: where it writes; becomes the output when it succeeds.
        work: where it may keep work that survives a kill.
        records: the records of the stages it reads from.
        hashes: the SHA-256 of their output folders.
        identity: one hash of everything that decides what comes out: settings and inputs.
        held: what the stage holds until its run has ended and its output is in place, as a lock.
    """

    task: Task
    run: "Run"
    folder: Path
    work: Path
    records: Mapping[str, Record]
    hashes: Mapping[str, str]
    identity: str
    held: ExitStack = field(default_factory=ExitStack)

    @property
    def checkpoint(self) -> Path:
        """Where a training keeps its state, apart from that of any other training."""
        self.work.mkdir(parents=True, exist_ok=True)
        return self.work / f"training-{self.identity[:16]}.npz"

    @contextmanager
    def epochs(
        self, description: str, total: int, unit: str = "epochs", *, logged: bool = True
    ) -> "Iterator[OnEpoch]":
        """Show the progress of a training and log the losses of each epoch.

        Args:
            description: of the training.
            total: epochs of it.
            unit: what is counted.
            logged: not where a run has several trainings, whose losses are not of one curve.
        """
        with progress(description, total, unit) as advance:
            yield _Epochs(advance, self.run if logged else None)


@dataclass(frozen=True)
class _Epochs:
    """Counts and logs epochs; those of an earlier run are in no rate."""

    advance: Advance
    run: "Run | None"

    def __call__(self, epoch: int, losses: Mapping[str, float]) -> None:
        self._tell(epoch, losses, earlier=False)

    def tell_earlier(self, epoch: int, losses: Mapping[str, float]) -> None:
        self._tell(epoch, losses, earlier=True)

    def _tell(self, epoch: int, losses: Mapping[str, float], *, earlier: bool) -> None:
        if self.run is not None:
            self.run.log_metrics(losses, step=epoch)
        self.advance(1, earlier=earlier)


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a stage found.

    Attributes:
        metrics: all of them, flat.
        headline: names of those few that ``summary.json`` and ``dvc metrics show`` hold.
        dataset_md5: identity of the data that it worked on.
        model: the model that its folder holds.
        describes: the input whose model its metrics are about.
        dataset: name of its events, where they are not those of the data set.
        sources: what it read beside the outputs of stages: a name to its SHA-256.
        conclude: what is left to do when its run has ended and its output is in place.
        refusal: why its verdict is no, which is exit status 3; empty if it is not.
        note: what came out, in words, as Markdown; for the description of its run.
        interrupted: whether Ctrl-C ended it early: what there is becomes the output, and the run
            and the exit status are those of an interruption.
        tracking_share: metric for the share of its time that the stage spent logging; empty: none.
    """

    metrics: Mapping[str, float]
    dataset_md5: str
    headline: tuple[str, ...] = ()
    model: ModelSpec | None = None
    describes: str | None = None
    dataset: str | None = None
    sources: Mapping[str, str] = field(default_factory=dict)
    conclude: Callable[[], None] = lambda: None
    refusal: str = ""
    note: str = ""
    interrupted: bool = False
    tracking_share: str = ""


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What a stage reads: the record and the hash of each folder, by the stage that wrote it."""

    records: Mapping[str, Record]
    hashes: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Stage(Generic[S]):
    """One step of the pipeline.

    Attributes:
        name: of the stage, its run, its DVC stage and its entry point.
        settings: its typed settings; the types of a task's sections are filled in.
        inputs: the folders it reads, by the name of the stage that wrote them.
        run: does the work and writes into the context's folder.
        artifacts: globs of the outputs that are logged to MLflow.
        sections: the types of further sections of the settings, by task and configuration.
        check: refuses what can be refused before a run is opened.
        kept_in_sweeps: whether its output is all that it does: a sweep that is started again takes
            the jobs that are done from disk.
        rehearse: does what it can without a run and an output where the settings ask for that, and
            returns whether they did.
    """

    name: str
    settings: type[S]
    inputs: Callable[[S], Mapping[str, Path]]
    run: Callable[[S, Context], Result]
    artifacts: tuple[str, ...]
    sections: Callable[[Task, Mapping[str, Any]], Mapping[str, type[Settings]]] = lambda *_: {}
    check: Callable[[S, Task], None] | None = None
    kept_in_sweeps: bool = False
    rehearse: Callable[[S, Inputs], bool] = lambda *_: False

    def settings_for(self, task: Task, composed: Mapping[str, Any] | None = None) -> type[S]:
        """Return the type of its settings for a task.

        Args:
            task: fills its sections.
            composed: the nested configuration, where what is chosen in it decides on a section.

        Raises:
            ConfigError: there is nothing of the name that was chosen.
        """
        return specialize(self.settings, task, **self.sections(task, composed or {}))
