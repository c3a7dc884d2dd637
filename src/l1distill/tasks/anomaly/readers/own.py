"""Read data sets of this platform; samples of the same name are concatenated."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from l1distill.core.errors import ConfigError
from l1distill.tasks.anomaly.dataset import PROCESS, open_dataset
from l1distill.tasks.anomaly.event_files import read_events
from l1distill.tasks.anomaly.readers.sample import Chunk, Sample, SourceFile
from l1distill.tasks.anomaly.readers.settings import OwnFolders

_CHUNK = 65_536  # events: 15 MB


def plan(files: OwnFolders) -> list[Sample]:
    """Plan the import from the cards of all data sets.

    Raises:
        ConfigError: no folder is named, or one is named twice.
        DataError: a folder is no data set.
    """
    if files.lacking is not None:
        raise ConfigError(files.lacking)
    folders = [Path(folder).expanduser().resolve() for folder in files.folders]
    for folder in folders:
        if folders.count(folder) > 1:
            raise ConfigError(
                f"data.files.folders: names {folder} twice; its events would count twice"
            )
    cards = {folder: open_dataset(folder).card for folder in folders}
    notes = [sentence for card in cards.values() for sentence in card.missing]
    samples = []
    for name in dict.fromkeys(name for card in cards.values() for name in card.files):
        sources = {
            folder / f"{name}.h5": card.files[name].events
            for folder, card in cards.items()
            if name in card.files
        }
        known = [read_events(path).process is not None for path in sources]
        lost = [f"The process of an event of {name} is not known: not all data sets have it."]
        samples.append(
            Sample(
                name=name,
                files=[
                    SourceFile(name=str(path), events=events) for path, events in sources.items()
                ],
                chunks=partial(read, all(known)),
                recipe=None,
                notes=notes + (lost if any(known) and not all(known) else []),
            )
        )
    return samples


def read(with_process: bool, source: SourceFile) -> Iterator[Chunk]:
    """Yield the events of a sample's file, after its hash was compared with its card.

    Raises:
        DataError: the file is missing, damaged or not the one of its card.
    """
    path = Path(source.name)
    sample = open_dataset(path.parent).sample(path.stem)
    for start in range(0, source.events, _CHUNK):
        part = slice(start, min(start + _CHUNK, source.events))
        process = None
        if with_process and PROCESS in sample.items.columns:
            process = np.asarray(sample.items.columns[PROCESS][part])
        objects = sample.items.values[part]
        yield Chunk(
            objects=objects,
            number=np.arange(part.start, part.stop),
            read=len(objects),
            process=process,
        )
