"""What folding batch normalization saves, at what accuracy.

Run from the project's folder: ``python benchmarks/batch_normalization.py [before] [after]``, some
ten minutes for each place of the normalization. The 16-64-32-32-5 tagger of jets, whose layout
is that of arXiv:1804.06913, is trained on five classes of Gaussians in 16 dimensions, with batch
normalization before or after each ReLU, rounded to 8 bits with and without folding, and counted by
yosys.
"""

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from recording import arguments, show
from rich.table import Table

from l1distill.compression import ptq
from l1distill.firmware.devices import VU9P
from l1distill.firmware.network.network import evaluate
from l1distill.firmware.process import TimeLimit
from l1distill.firmware.rtl.verilog import TOP, trace_network, verilog_files, write_rtl
from l1distill.firmware.rtl.yosys import yosys_job

BITS = 8
WIDTHS = (64, 32, 32)
CLASSES, FEATURES = 5, 16
LATENCY_CUTOFF_NS = 3.5
TIME_LIMIT = TimeLimit(3600.0, "the benchmark's time limit")
MEMORY_GIB = 6.0


def sample(events: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Draw events of five classes, three Gaussians each."""
    centers = 0.9 * np.random.default_rng(1).normal(size=(CLASSES, 3, FEATURES))
    rng = np.random.default_rng(seed)
    classes, modes = rng.integers(0, CLASSES, events), rng.integers(0, 3, events)
    x = centers[classes, modes] + rng.normal(size=(events, FEATURES))
    return x.astype(np.float32), classes


def train(place: str) -> Any:
    """Train the tagger with batch normalization before or after each ReLU."""
    import tensorflow as tf
    from tensorflow.keras import layers

    tf.keras.utils.set_random_seed(1)
    x = first = tf.keras.Input((FEATURES,))
    for width in WIDTHS:
        x = layers.Dense(width)(x)
        normalization = layers.BatchNormalization()
        x = normalization(x) if place == "before" else x
        x = layers.ReLU()(x)
        x = normalization(x) if place == "after" else x
    model = tf.keras.Model(first, layers.Dense(CLASSES)(x))
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(tf.keras.optimizers.Adam(2e-3), loss)
    model.fit(*sample(30_000, 2), batch_size=256, epochs=6, verbose=0)
    return model


def measure(model: Any, folds: bool) -> tuple[str, ...]:
    """Round the model, write its Verilog, and count; return the cells of a row."""
    fold, start = ptq.fold_batch_normalization, time.process_time()
    if not folds:
        ptq.fold_batch_normalization = tuple  # type: ignore[assignment]
    try:
        network = ptq.post_training_quantize(model, BITS, sample(2048, 2)[0])
    finally:
        ptq.fold_batch_normalization = fold
    x, classes = sample(10_000, 3)
    correct = np.mean(evaluate(network, x).argmax(axis=1) == classes)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rtl = write_rtl(trace_network(network), VU9P, LATENCY_CUTOFF_NS, folder)
        traced = time.process_time() - start
        sources = verilog_files(folder)
        with yosys_job(sources, TOP, VU9P.family, TIME_LIMIT, MEMORY_GIB) as job:
            counts = job.counts()
    print(f"traced in {traced:.0f} CPU s", file=sys.stderr)
    return (
        f"{counts.lut:,}",
        f"{counts.ff:,}",
        f"{rtl.lut_estimate:,.0f}",
        f"{rtl.latency_cycles}",
        f"{100 * correct:.1f}%",
    )


def main() -> None:
    """Measure each place of the normalization, folded and not."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    table = Table(
        "normalization", "LUT", "FF", "LUT estimate (alkaid)", "cycles", "correct classes"
    )
    notes = []
    for place in arguments() or ["before", "after"]:
        model = train(place)
        x, classes = sample(10_000, 3)
        exact = np.asarray(model.predict(x, batch_size=4096, verbose=0))
        correct = 100 * np.mean(exact.argmax(axis=1) == classes)
        notes.append(f"In floating point, {place} the ReLUs: {correct:.1f}% correct classes.")
        for folds in (True, False):
            words = "folded" if folds else "multiplied"
            table.add_row(f"{place} each ReLU, {words}", *measure(model, folds))
    show("batch_normalization", table, notes)


if __name__ == "__main__":
    main()
