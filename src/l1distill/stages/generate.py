"""generate: settings in, collision events in the public format out."""

from collections.abc import Mapping
from pathlib import Path

from l1distill.data.dataset import BACKGROUND, open_dataset
from l1distill.data.events import SIGNALS
from l1distill.data.splits import Split
from l1distill.data.standardisation import STANDARDISATION, Standardisation
from l1distill.errors import InputError
from l1distill.executor import local_processes
from l1distill.progress import progress
from l1distill.stages.stage import Context, Result, Stage, StageSettings


class Settings(StageSettings):
    """What ``l1distill generate`` is told."""


def _inputs(_: Settings) -> Mapping[str, Path]:
    return {}


def _run(settings: Settings, context: Context) -> Result:
    from l1distill.data.generator.generate import generate
    from l1distill.plots.events import draw_events

    generator = settings.data.generator
    total = generator.background + len(SIGNALS) * generator.signal
    with (
        local_processes(settings.workers) as executor,
        progress("generate", total, "events") as advance,
    ):
        card = generate(generator, context.folder, executor, advance, context.work)
    dataset = open_dataset(context.folder)
    train = dataset.sample(BACKGROUND).part(Split.TRAIN)
    if not len(train):
        raise InputError("too few events: none fell into the training split; ask for more")
    Standardisation.fit(train).write(context.folder / STANDARDISATION)
    draw_events(dataset.objects(), context.folder / "plots")
    metrics = {
        **{f"events/{name}": float(file.events) for name, file in card.files.items()},
        **{f"acceptance/{name}": sample.acceptance for name, sample in card.samples.items()},
        **{f"check/{name}": value for name, value in card.checks.items()},
    }
    return Result(metrics, dataset.md5)


STAGE = Stage(
    name="generate",
    settings=Settings,
    inputs=_inputs,
    run=_run,
    artifacts=("card.json", "standardisation.json", "plots/*.png"),
)
