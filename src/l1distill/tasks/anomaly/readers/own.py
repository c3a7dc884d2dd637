"""Data sets of this platform: their samples, put one behind the other by name."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from l1distill.core.errors import DataError
from l1distill.tasks.anomaly.dataset import PROCESS, open_dataset
from l1distill.tasks.anomaly.event_files import read_events
from l1distill.tasks.anomaly.readers.sample import Chunk, Sample, SourceFile
from l1distill.tasks.anomaly.readers.settings import OwnFolders

_CHUNK = 65_536  # events: 15 MB


def plan(files: OwnFolders) -> list[Sample]:
    """Looks at the cards of all data sets.

    Raises:
        DataError: a folder is no data set, or is named twice.
    """
    if files.lacking is not None:
        raise DataError(files.lacking)
    folders = [Path(folder).expanduser().resolve() for folder in files.folders]
    for folder in folders:
        if folders.count(folder) > 1:
            raise DataError(
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
                files=[SourceFile(str(path), events) for path, events in sources.items()],
                chunks=partial(read, all(known)),
                recipe=None,
                notes=notes + (lost if any(known) and not all(known) else []),
            )
        )
    return samples


def read(with_process: bool, source: SourceFile) -> Iterator[Chunk]:
    """Yields the events of a sample's file, after it was held against its card.

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
        yield Chunk(objects, np.arange(part.start, part.stop), len(objects), process)
