"""Seconds an epoch of a student with gates on nodes and inputs, beside the same student without.

Run from the project's folder: ``python benchmarks/node_pruning.py [items [epochs]]``. Students of
3 x 64 nodes on 64 inputs, in floating point and quantized, in turn; CPU seconds of the process, the
first epoch left out, which holds the compilation. The jets are drawn: what is in them does not
matter here.
"""

import time

import numpy as np
from recording import arguments, show
from rich.table import Table

from l1distill.compression.node_settings import NodePruningSettings
from l1distill.compression.pruning import PruningSettings
from l1distill.compression.settings import CompressionSettings
from l1distill.distillation.student import Examples, train_student
from l1distill.models.mlp import StudentSettings
from l1distill.training.settings import TrainingSettings

TARGET = 1.6
FEATURES = 64
ROUNDS = 2
WAYS: dict[str, CompressionSettings] = {
    "plain": PruningSettings(sparsity=0.0),
    "19 of 192 nodes": NodePruningSettings(nodes=19),
    "19 nodes and 12 inputs": NodePruningSettings(nodes=19, features=12),
    "19 nodes, trained scores": NodePruningSettings(nodes=19, score="straight_through"),
}


def seconds(items: int, epochs: int, compression: CompressionSettings, *, quantized: bool) -> float:
    """CPU seconds an epoch, the mean of all but the first."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(items, FEATURES)).astype(np.float32)
    targets = np.tanh(features[:, :1] - features[:, 1:2] * features[:, 2:3])
    examples = Examples(features=features, targets=targets)
    few = Examples(features=features[:1000], targets=targets[:1000])
    student = StudentSettings(
        layers=[64, 64, 64],
        quantized=quantized,
        training=TrainingSettings(epochs=epochs, batch_size=512, patience=epochs),
    )
    ticks: list[float] = []

    def tick(*_: object) -> None:
        ticks.append(time.process_time())

    train_student(examples, few, student, pruning=compression, on_epoch=tick)
    return float(np.mean(np.diff(ticks)))


def main() -> None:
    """Time all ways, and show them."""
    given = [int(word) for word in arguments()]
    items, epochs = (*given, *(60_000, 6)[len(given) :])
    table = Table("student", "what is trained", "s/epoch", "over plain")
    for quantized in (False, True):
        # one after the other, and again: what else the machine does should meet all
        rounds = [
            [seconds(items, epochs, way, quantized=quantized) for way in WAYS.values()]
            for _ in range(ROUNDS)
        ]
        best = np.min(rounds, axis=0)
        for name, value in zip(WAYS, best, strict=True):
            of = "6-bit weights" if quantized else "floating point"
            table.add_row(of, name, f"{value:.2f}", f"{value / best[0]:.2f}")
    sizes = f"{items} items of {FEATURES} inputs, 3 x 64 nodes, batches of 512"
    show("node_pruning", table, [sizes, f"target: at most {TARGET:g} times plain"])


if __name__ == "__main__":
    main()
