"""Making the jets data set: with PYTHIA, or from files of the user's."""

import sys
from collections.abc import Sequence
from pathlib import Path

from l1distill.core.errors import DataError
from l1distill.core.workspace import file_sha256
from l1distill.data.card import Card, FileCard, write_card
from l1distill.data.splits import Split
from l1distill.reporting.pictures import Picture
from l1distill.tasks.jets.dataset import LABEL, SAMPLE, open_dataset
from l1distill.tasks.jets.features import GENERATED
from l1distill.tasks.jets.generator.settings import GeneratorSettings
from l1distill.tasks.jets.readers.settings import JetTables
from l1distill.tasks.jets.settings import JetsDataSettings
from l1distill.tasks.jets.statistics import CLASSES, STATISTICS, Statistics
from l1distill.tasks.records import GenerationServices

_OWN_CLASSES = ("background", "signal")
_NOTES = (
    "The jets come from files; how they were made and selected is not known here.",
    "The rate of background jets, evaluation.input_rate_khz, is that of another selection unless "
    "it was set.",
    "Jets of one event may be in training and test: the files do not say which belong together.",
)


def make_dataset(
    settings: JetsDataSettings, folder: Path, services: GenerationServices
) -> Sequence[Picture]:
    """Write sample, card and plots into a folder.

    Raises:
        ConfigError: a file lacks a column.
        DataError: a file cannot be used, or no jet of a class fell into a split.
    """
    from l1distill.tasks.jets.plots import draw_jets

    if settings.generator is not None:
        _generate(settings.generator, folder, services)
        layout, classes = GENERATED, CLASSES
    else:
        from l1distill.tasks.jets.readers.importing import layout_of

        assert settings.files is not None
        _import(settings.name, settings.files, folder, services)
        layout, classes = layout_of(settings.files), _OWN_CLASSES
    sample = open_dataset(folder).training
    for split in Split:
        if len(set(sample.columns(split)[LABEL].tolist())) < 2:
            more = "data.generator.jets_per_class" if settings.generator else "further files"
            raise DataError(
                f"too few jets: the {split.name.lower()} split lacks a class; ask for more with "
                f"{more}"
            )
    statistics = Statistics.fit(sample.part(Split.TRAIN), layout, classes)
    statistics.write(folder / STATISTICS)
    return draw_jets(sample.items, statistics, folder)


def _generate(generator: GeneratorSettings, folder: Path, services: GenerationServices) -> None:
    from l1distill.tasks.jets.generator.generate import generate
    from l1distill.tasks.jets.generator.plan import total_cost

    total, cost = 2 * generator.jets_per_class, total_cost(generator)
    with (
        services.executor() as executor,
        services.progress("generate", total, "jets", cost) as advance,
    ):
        generate(generator, folder, executor, advance, services.work)


def _import(name: str, files: JetTables, folder: Path, services: GenerationServices) -> None:
    from l1distill.simulation.jobs import package_versions
    from l1distill.tasks.jets.checks import check_features
    from l1distill.tasks.jets.jet_files import write_jets
    from l1distill.tasks.jets.readers.importing import count_jets, import_jets, layout_of

    with services.progress("import", count_jets(files), "jets") as advance:
        imported = import_jets(files, advance)
    left_out = [f"{n} jets {why} are left out." for why, n in sorted(imported.left_out.items())]
    for line in left_out:
        print(f"import: {line}", file=sys.stderr)
    counts = write_jets(folder / f"{SAMPLE}.h5", imported.table)
    used = [f"{n} jets are of the class {one}." for one, n in sorted(imported.counts.items())]
    card = Card(
        dataset=name,
        settings=files.model_dump(mode="json"),
        versions=package_versions(("l1distill", "numpy", "h5py", "pyarrow")),
        files={SAMPLE: FileCard(**counts, sha256=file_sha256(folder / f"{SAMPLE}.h5"))},
        sources=imported.sources,
        checks=check_features(imported.table, layout_of(files)),
        missing=[*_NOTES, *used, *left_out],
    )
    write_card(folder, card)
