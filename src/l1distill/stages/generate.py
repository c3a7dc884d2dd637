"""generate: a data set, from PYTHIA or from files of the user's, in the one event format."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import model_validator

from l1distill.core.errors import ConfigError
from l1distill.core.progress import progress
from l1distill.core.workspace import write_text
from l1distill.data.card import Card, write_card
from l1distill.data.splits import Split
from l1distill.executor import open_executor
from l1distill.stages.stage import Context, Result, Stage, StageSettings
from l1distill.tasks.anomaly.dataset import BACKGROUND, open_dataset
from l1distill.tasks.anomaly.events import SIGNALS
from l1distill.tasks.anomaly.standardization import STANDARDIZATION, Standardization

CONVERTED = ".converted"
"""Folder beside the data set where converted files are kept, by the hash of their content."""


class Settings(StageSettings):
    """What ``l1distill generate`` is told."""

    @model_validator(mode="after")
    def _something_to_read(self) -> "Settings":
        files = self.data.files
        if files is not None and files.lacking is not None:
            raise ValueError(files.lacking)
        return self


def _inputs(_: Settings) -> Mapping[str, Path]:
    return {}


def _run(settings: Settings, context: Context) -> Result:
    from l1distill.reporting.data_page import render
    from l1distill.tasks.anomaly.plots.checks import draw_checks
    from l1distill.tasks.anomaly.plots.events import draw_events

    card = _make(settings, context)
    dataset = open_dataset(context.folder)
    background = dataset.sample(BACKGROUND)
    train = background.part(Split.TRAIN)
    if not len(train):
        raise ConfigError("too few events: none fell into the training split; ask for more")
    Standardization.fit(train).write(context.folder / STANDARDIZATION)
    plots = context.folder / "plots"
    pictures = draw_events(dataset.objects(), plots)
    if background.process is not None:
        pictures += draw_checks(background.objects, background.process, plots)
    write_text(context.folder / "index.html", render(dataset, pictures))
    metrics = {
        **{f"events/{name}": float(file.events) for name, file in card.files.items()},
        **{f"acceptance/{name}": sample.acceptance for name, sample in card.samples.items()},
        **{f"check/{name}": value for name, value in card.checks.items()},
    }
    return Result(metrics, dataset.md5)


def _make(settings: Settings, context: Context) -> Card:
    return _generate(settings, context) if settings.data.generator else _import(settings, context)


def _generate(settings: Settings, context: Context) -> Card:
    from l1distill.tasks.anomaly.generator.generate import generate

    generator = settings.data.generator
    assert generator is not None
    total = generator.background + len(SIGNALS) * generator.signal
    with (
        open_executor(settings.executor, context.work) as executor,
        progress("generate", total, "events") as advance,
    ):
        return generate(generator, context.folder, executor, advance, context.work)


def _import(settings: Settings, context: Context) -> Card:
    from l1distill.tasks.anomaly.generator.generate import package_versions
    from l1distill.tasks.anomaly.readers.importing import count_events, import_files

    files = settings.data.files
    assert files is not None
    cache = settings.output.parent / CONVERTED
    with progress("import", count_events(files), "events") as advance:
        imported = import_files(files, context.folder, advance, cache)
    card = Card(
        dataset=settings.data.name,
        settings=files.model_dump(mode="json"),
        versions=package_versions(("l1distill", "numpy", "h5py", "uproot")),
        files=imported.files,
        sources=imported.sources,
        checks={},
        missing=imported.notes,
    )
    write_card(context.folder, card)
    return card


STAGE = Stage(
    name="generate",
    settings=Settings,
    inputs=_inputs,
    run=_run,
    artifacts=("card.json", "standardization.json", "index.html", "plots/*.png"),
)
