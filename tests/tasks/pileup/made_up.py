"""A small data set of made-up events with pileup, for tests that need no physics."""

from pathlib import Path

import numpy as np

from l1distill.core.workspace import file_sha256
from l1distill.data.card import Card, FileCard, write_card
from l1distill.tasks.pileup.dataset import TEST, TRAINING
from l1distill.tasks.pileup.event_files import write_events
from l1distill.tasks.pileup.events import Events, Generated, RecordedCandidates, WithoutPileup
from l1distill.tasks.pileup.generator.settings import GeneratorSettings

HARD, PILEUP = 8, 25
"""Particles of an event."""


def made_up_events(number: int, seed: int) -> Events:
    """Make events whose hard particles are a jet at phi = 1 and the tracks near the vertex."""
    rng = np.random.default_rng(seed)
    each = HARD + PILEUP
    event = np.repeat(np.arange(number), each)
    hard = np.tile(np.arange(each) < HARD, number)
    n = len(event)
    charge = np.where(rng.random(n) < 0.7, rng.choice([-1, 1], n), 0)
    charged = charge != 0
    pt = np.where(hard, 5.0 + rng.exponential(4.0, n), 0.5 + rng.exponential(0.7, n))
    eta = np.where(hard, rng.normal(0.5, 0.1, n), rng.uniform(-3.5, 3.5, n))
    phi = np.where(hard, rng.normal(1.0, 0.1, n), rng.uniform(-3.1, 3.1, n))
    dz = np.where(charged, np.where(hard, rng.normal(0, 0.05, n), rng.normal(0, 40.0, n)), 0.0)
    ids = np.where(charged, rng.integers(2, 8, n), rng.integers(0, 2, n))
    common = {"event": event, "pt": pt, "eta": eta, "phi": phi, "energy": pt * np.cosh(eta)}
    particles = RecordedCandidates(
        **common,
        charge=charge,
        id=ids,
        d0=np.where(charged, rng.normal(0, 0.05, n), 0.0),
        dz=dz,
        puppi=np.where(charged, np.abs(dz) < 1.0, rng.random(n) ** np.where(hard, 0.3, 4.0)),
        hard_fraction=hard.astype(float),
    )
    alone = {name: values[hard] for name, values in common.items()}
    px, py = (np.bincount(event, hard * pt * turn(phi)) for turn in (np.cos, np.sin))
    return Events(
        numbers=np.stack([np.full(number, 5.0), px, py], axis=1).astype(np.float32),
        particles=particles,
        without_pileup=WithoutPileup(**alone, charge=charge[hard], id=ids[hard]),
        generated=Generated(**alone),
    )


def make_data_set(folder: Path) -> Path:
    """Write a data set of 30 training and 12 test events; returns its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for seed, (sample, (train, test, validation)) in enumerate(
        {TRAINING: (20, 4, 6), TEST: (4, 4, 4)}.items()
    ):
        path = folder / f"{sample}.h5"
        write_events(path, [made_up_events(train + test + validation, seed)])
        files[sample] = FileCard(
            train=train, test=test, validation=validation, sha256=file_sha256(path)
        )
    card = Card(
        dataset="pileup",
        settings=GeneratorSettings().model_dump(mode="json"),
        versions={},
        files=files,
        checks={},
        missing=[],
    )
    write_card(folder, card)
    return folder
