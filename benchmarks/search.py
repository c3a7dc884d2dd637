"""Candidates an hour of a search, beside one ``model.fit`` for each, in one run.

Run from the project's folder: ``python benchmarks/search.py [candidates [events [epochs]]]``. Both
sides train students of the same space on the same events with the same epochs and batches, on one
thread; what is counted are CPU seconds, compilation and the building of models among them. The
machine's matrix product of the same run says how far either is from the hardware. Plain Keras is
timed on some of the candidates of the other side.
"""

import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

for _threads in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
    os.environ[_threads] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from recording import arguments, show
from rich.table import Table
from tensorflow import keras

from l1distill.distillation.student import Examples
from l1distill.models.mlp import StudentSettings, build_student
from l1distill.search.buckets import Work
from l1distill.search.candidate import Candidate
from l1distill.search.database import url_of
from l1distill.search.plan import Course, Plan
from l1distill.search.problem import Problem
from l1distill.search.settings import SearchSettings
from l1distill.search.store import Store
from l1distill.search.worker import work

FEATURES = 57
BATCH = 1024
FITTED = 6
TARGETS = {"all candidates in full": 4.0, "with halving": 10.0}


def problem(events: int) -> Problem:
    """Items that take as long as real ones, with something to learn."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(events + BATCH * 4, FEATURES)).astype(np.float32)
    y = np.abs(x[:, :8]).sum(axis=1, keepdims=True) + 0.3 * x[:, 8:9] * x[:, 9:10]
    y = ((y - y.mean()) / y.std()).astype(np.float32)
    return Problem(
        train=Examples(features=x[:events], targets=y[:events]),
        validation=Examples(features=x[events:], targets=y[events:]),
    )


def peak() -> float:
    """The rate of a large matrix product in float32 on one thread [FLOP/s], the best of several."""
    a = tf.random.normal((1024, 1024))
    best = float("inf")
    for _ in range(8):
        start = time.process_time()
        (a @ a).numpy()
        best = min(best, time.process_time() - start)
    return 2 * 1024**3 / best


def search(plan: Plan, items: Problem) -> tuple[float, list[Candidate]]:
    """CPU seconds of a search, and its candidates."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(url_of(Path(folder) / "search.db"), "benchmark")
        start = time.process_time()
        store.open({})
        work(store, plan, items)
        seconds = time.process_time() - start
        course = Course(plan, store)
        candidates = [course.candidate(number) for number in course.drawn]
        store.close()
    return seconds, candidates


def plain(candidates: Sequence[Candidate], items: Problem, epochs: int) -> float:
    """CPU seconds that ``model.fit`` takes for a candidate, its pruning left out."""
    start = time.process_time()
    for candidate in candidates:
        model = build_student(candidate.student, FEATURES)
        rate = candidate.student.training.learning_rate
        model.compile(keras.optimizers.Adam(rate), loss="mse")
        model.fit(
            items.train.features,
            items.train.targets,
            validation_data=(items.validation.features, items.validation.targets),
            validation_batch_size=BATCH,
            batch_size=BATCH,
            epochs=epochs,
            verbose=0,
        )
    return (time.process_time() - start) / len(candidates)


def main() -> None:
    given = [int(word) for word in arguments()]
    number, events, epochs = (*given, *(96, 100_000, 10)[len(given) :])
    items, limit = problem(events), peak()
    flops, rates = 0.0, {}
    candidates: list[Candidate] = []
    for name, rungs in (("all candidates in full", []), ("with halving", [1, 3])):
        settings = SearchSettings.model_validate(
            {
                "candidates": number,
                "generation": number,
                "sampler": "random",
                "rungs": [epoch for epoch in rungs if epoch < epochs],
                "training": {"epochs": epochs, "batch_size": BATCH, "patience": epochs},
                "end_epoch": max(2, epochs // 2),
                "begin_epoch": 1,
            }
        )
        plan = Plan(
            strategy="co",
            settings=settings,
            base=StudentSettings(),
            features=FEATURES,
            outputs=1,
            items=events,
            seed=1,
        )
        seconds, candidates = search(plan, items)
        rates[name] = 3600 * number / seconds
    full = Work(features=FEATURES, outputs=1, items=events * epochs)
    counted = [full.products(one.widths) for one in candidates]
    flops = float(np.mean(counted))
    # candidates of all sizes: those that are to be fitted alone are drawn evenly by their work
    order = np.argsort(counted)[np.linspace(0, number - 1, FITTED + 2).round().astype(int)[1:-1]]
    chosen = [candidates[place] for place in order]
    share = flops / float(np.mean([counted[place] for place in order]))
    fitted = 3600 / plain(chosen, items, epochs)
    bound = 3600 * limit / flops

    table = Table(title="candidates of a search")
    for column in ("", "candidates/h", "CPU s each", "by model.fit", "target", "of the limit"):
        table.add_column(column, justify="right" if column else "left")
    for name, rate in (("model.fit for each", fitted), *rates.items(), ("matrix products", bound)):
        target = f"{TARGETS[name]:.0f}" if name in TARGETS else ""
        cells = (f"{rate:,.0f}", f"{3600 / rate:.2f}", f"{rate / fitted:.1f}", target)
        table.add_row(name, *cells, f"{rate / bound:.0%}")
    notes = [
        f"{number} candidates of the default space, {events:,} events, {epochs} epochs, batches of "
        f"{BATCH}, one thread; an hour is one of a core.",
        f"The machine multiplies at {limit / 1e9:.0f} GFLOP/s; a candidate is "
        f"{flops / 1e9:.1f} GFLOP, those fitted alone {1 / share:.2f} times that.",
    ]
    show("search", table, notes)


if __name__ == "__main__":
    main()
