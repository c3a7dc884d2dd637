"""Making the pileup data set with PYTHIA."""

from collections.abc import Sequence
from pathlib import Path

from l1distill.core.errors import DataError
from l1distill.data.card import write_card
from l1distill.data.splits import Split
from l1distill.reporting.pictures import Picture
from l1distill.tasks.pileup.checks import EVENTS_CHECKED, check, look
from l1distill.tasks.pileup.dataset import TEST, TRAINING
from l1distill.tasks.pileup.event_files import stream_events
from l1distill.tasks.pileup.settings import PileupDataSettings
from l1distill.tasks.records import GenerationServices


def make_dataset(
    settings: PileupDataSettings, folder: Path, services: GenerationServices
) -> Sequence[Picture]:
    """Write samples, card and plots into a folder.

    Raises:
        DataError: no event fell into a split of the training sample.
    """
    from l1distill.tasks.pileup.generator.generate import generate
    from l1distill.tasks.pileup.generator.plan import total_cost
    from l1distill.tasks.pileup.plots import draw_events

    generator = settings.generator
    total, cost = generator.train + generator.test, total_cost(generator)
    with (
        services.executor() as executor,
        services.progress("generate", total, "events", cost) as advance,
    ):
        card = generate(generator, folder, executor, advance, services.work)
    counts = card.files[TRAINING]
    for split in (Split.TRAIN, Split.VALIDATION):
        if not getattr(counts, split.name.lower()):
            raise DataError(
                f"too few events: the {split.name.lower()} split of {TRAINING} is empty; ask for "
                "more with data.generator.train"
            )
    checked = min(card.files[TEST].events, EVENTS_CHECKED)
    batches = stream_events(folder / f"{TEST}.h5", stop=checked)
    window = generator.puppi.vertex_window_mm
    with services.progress("check", checked, "events") as advance:
        looked = look(batches, window, settings.responses, advance)
    write_card(folder, card.model_copy(update={"checks": check(looked)}))
    return draw_events(looked, folder)
