"""Making the anomaly data set: from PYTHIA, or from files of the user's."""

import sys
from collections.abc import Sequence
from pathlib import Path

from l1distill.core.errors import ConfigError, DataError
from l1distill.data.card import Card, write_card
from l1distill.data.splits import Split
from l1distill.reporting.pictures import FOLDER, Picture
from l1distill.tasks.anomaly.dataset import PROCESS, open_dataset
from l1distill.tasks.anomaly.generator.settings import GeneratorSettings
from l1distill.tasks.anomaly.readers import own
from l1distill.tasks.anomaly.readers.sample import find_files
from l1distill.tasks.anomaly.readers.settings import EventFiles, SampleFiles
from l1distill.tasks.anomaly.settings import AnomalyDataSettings
from l1distill.tasks.anomaly.standardization import STANDARDIZATION, Standardization
from l1distill.tasks.records import GenerationServices


def check_sources(settings: AnomalyDataSettings) -> None:
    """Refuse files that are not named or not there, before anything is opened.

    Raises:
        ConfigError: nothing was named to read.
        DataError: a file is missing, or a folder is no data set.
    """
    if settings.files is None:
        return
    if settings.files.lacking is not None:
        raise ConfigError(settings.files.lacking)
    if isinstance(settings.files, SampleFiles):
        find_files(settings.files)
    else:
        own.plan(settings.files)


def make_dataset(
    settings: AnomalyDataSettings, folder: Path, services: GenerationServices
) -> Sequence[Picture]:
    """Write samples, card, standardization and plots into a folder.

    Raises:
        DataError: a file of the user's cannot be used, or no event fell into the training split.
    """
    if settings.generator is not None:
        _generate(settings.generator, folder, services)
    else:
        assert settings.files is not None
        _import(settings.name, settings.files, folder, services)
    dataset = open_dataset(folder)
    train = dataset.training.part(Split.TRAIN)
    if not len(train):
        raise DataError("too few events: none fell into the training split; ask for more")
    Standardization.fit(train).write(folder / STANDARDIZATION)
    return _draw(folder)


def _generate(generator: GeneratorSettings, folder: Path, services: GenerationServices) -> None:
    from l1distill.tasks.anomaly.generator.generate import generate
    from l1distill.tasks.anomaly.generator.plan import total_cost, total_events

    total, cost = total_events(generator), total_cost(generator)
    with (
        services.executor() as executor,
        services.progress("generate", total, "events", cost) as advance,
    ):
        generate(generator, folder, executor, advance, services.work)


def _import(name: str, files: EventFiles, folder: Path, services: GenerationServices) -> None:
    from l1distill.simulation.jobs import package_versions
    from l1distill.tasks.anomaly.readers.importing import count_events, import_files

    with services.progress("import", count_events(files), "events") as advance:
        imported = import_files(files, folder, advance, services.cache)
    for line in imported.skipped:
        print(f"import: {line}", file=sys.stderr)
    card = Card(
        dataset=name,
        settings=files.model_dump(mode="json"),
        versions=package_versions(("l1distill", "numpy", "h5py", "uproot")),
        files=imported.files,
        sources=imported.sources,
        checks={},
        missing=imported.notes,
    )
    write_card(folder, card)


def _draw(folder: Path) -> Sequence[Picture]:
    from l1distill.tasks.anomaly.plots.checks import draw_checks
    from l1distill.tasks.anomaly.plots.events import draw_events

    samples = open_dataset(folder).samples()
    plots = folder / FOLDER
    events = {name: sample.items.values for name, sample in samples.items()}
    pictures = draw_events(events, plots)
    background = next(iter(samples.values())).items
    if PROCESS in background.columns:
        pictures += draw_checks(background.values, background.columns[PROCESS], plots)
    return [Picture(caption=caption, path=path) for caption, path in pictures]
