"""Making the jets data set with PYTHIA."""

from collections.abc import Sequence
from pathlib import Path

from l1distill.core.errors import DataError
from l1distill.data.splits import Split
from l1distill.reporting.pictures import Picture
from l1distill.tasks.base import GenerationServices
from l1distill.tasks.jets.dataset import B_HADRONS, LABEL, open_dataset
from l1distill.tasks.jets.features import NAMES
from l1distill.tasks.jets.settings import JetsDataSettings
from l1distill.tasks.jets.statistics import STATISTICS, Statistics


def make_dataset(
    settings: JetsDataSettings, folder: Path, services: GenerationServices
) -> Sequence[Picture]:
    """Write sample, card and plots into a folder.

    Raises:
        DataError: no jet of a class fell into a split.
    """
    from l1distill.tasks.jets.generator.generate import generate
    from l1distill.tasks.jets.generator.plan import total_cost
    from l1distill.tasks.jets.plots import draw_jets

    generator = settings.generator
    total, cost = 2 * generator.jets_per_class, total_cost(generator)
    with (
        services.executor() as executor,
        services.progress("generate", total, "jets", cost) as advance,
    ):
        generate(generator, folder, executor, advance, services.work)
    sample = open_dataset(folder).training
    for split in Split:
        if len(set(sample.columns(split)[LABEL].tolist())) < 2:
            raise DataError(
                f"too few jets: the {split.name.lower()} split lacks a class; ask for more with "
                "data.generator.jets_per_class"
            )
    statistics = Statistics.fit(sample.part(Split.TRAIN), list(NAMES))
    statistics.write(folder / STATISTICS)
    columns = sample.items.columns
    return draw_jets(sample.items.values, columns[LABEL], columns[B_HADRONS], folder)
