"""Seconds an epoch of each teacher, beside plain ``model.fit`` from numpy arrays, in one run.

Run from the project's folder: ``python benchmarks/training.py [events [epochs]]``. Both sides train
the same network on the same events with the same batches and Adam; the machine's matrix product of
the same run says how far either is from the hardware. FLOPs are those of the multiplications of the
layers as the paper has them, three times the forward pass.
"""

import os
import time

from l1distill.core.processor import pin_processor_features

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
pin_processor_features(os.environ)  # as a stage does

import numpy as np
import tensorflow as tf
from omegaconf import OmegaConf
from recording import arguments, show
from rich.table import Table
from tensorflow import keras

from l1distill.tasks.anomaly.autoencoder import autoencoder_loss, target, unrolled
from l1distill.tasks.anomaly.losses import reconstruction_error
from l1distill.tasks.anomaly.settings import AutoencoderSettings
from l1distill.tasks.anomaly.standardization import Standardization
from l1distill.tasks.anomaly.teachers import build_teacher
from l1distill.training.determinism import make_deterministic
from l1distill.training.fit import Fit, fit
from l1distill.training.settings import TrainingSettings

TARGET = 2.0
BATCH = 1024  # the paper's
ROUNDS = 2
ARCHITECTURES = ("dnn_ae", "dnn_vae", "cnn_ae", "cnn_vae")


def events_like(n: int) -> np.ndarray:
    """Objects with the occupancy of real events; what is in them does not matter here."""
    rng = np.random.default_rng(0)
    objects = rng.exponential(30.0, (n, 19, 3)).astype(np.float32)
    objects[..., 1:] = rng.uniform(-3, 3, (n, 19, 2))
    objects[rng.random((n, 19)) < 0.85] = 0.0
    return objects


def flops(model: keras.Model) -> float:
    """Floating-point operations of a training step, an event."""
    total = 0
    for layer in model.layers:
        if hasattr(layer, "kernel"):
            positions = np.prod(layer.output_shape[1:-1], dtype=int)
            total += 2 * int(np.prod(layer.kernel.shape)) * max(1, int(positions))
    return 3.0 * total


def peak() -> float:
    """The rate of a large matrix product in float32 [FLOP/s], the best of several."""
    a = tf.random.normal((2048, 2048))
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        (a @ a).numpy()
        best = min(best, time.perf_counter() - start)
    return 2 * 2048**3 / best


def plain(settings: AutoencoderSettings, objects: np.ndarray, constants: Standardization) -> float:
    """Seconds an epoch of ``model.fit``, the first epoch left out."""
    model = build_teacher(settings).model()
    inputs = [objects.reshape(len(objects), -1)]
    if settings.variational:
        noise = np.random.default_rng(0).normal(size=(len(objects), settings.latent))
        inputs.append(noise.astype(np.float32))

    def loss(wanted: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        return reconstruction_error(wanted, outputs[:, :57])

    model.compile(keras.optimizers.Adam(1e-3), loss=loss)
    seconds: list[float] = []

    class Clock(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
            self.start = time.perf_counter()

        def on_epoch_end(self, epoch: int, logs: object = None) -> None:
            seconds.append(time.perf_counter() - self.start)

    wanted = target(constants, objects).numpy()
    model.fit(
        inputs,
        wanted,
        batch_size=BATCH,
        epochs=settings.training.epochs,
        verbose=0,
        callbacks=[Clock()],
    )
    return min(seconds[1:])


def ours(settings: AutoencoderSettings, objects: np.ndarray, constants: Standardization) -> float:
    """Seconds an epoch of this platform's loop, validation on nothing to speak of."""
    autoencoder = build_teacher(settings)
    model = autoencoder.model()
    loss = autoencoder_loss(unrolled(autoencoder, BATCH), constants, settings.beta)
    ticks = [time.perf_counter()]
    fit(
        Fit(model=model, loss=loss, settings=settings.training, seed=1, xla=True),
        [objects],
        [objects[:BATCH]],
        lambda *_: ticks.append(time.perf_counter()),
    )
    return min(np.diff(ticks)[1:])


def main() -> None:
    given = [int(word) for word in arguments()]
    events, epochs = (*given, *(50_000, 5)[len(given) :])
    training = TrainingSettings(epochs=epochs, batch_size=BATCH, learning_rate=1e-3, patience=99)
    objects = events_like(events)
    constants = Standardization.fit(objects)
    rate = peak()
    table = Table("teacher", "model.fit, s/epoch", "ours, s/epoch", "ratio", "of the matrix peak")
    for name in ARCHITECTURES:
        conf = OmegaConf.to_container(OmegaConf.load(f"conf/teacher/{name}.yaml"))
        settings = AutoencoderSettings.model_validate(conf).model_copy(
            update={"training": training}
        )
        make_deterministic(1)
        # one after the other, and again: what else the machine does should meet both
        rounds = [
            (plain(settings, objects, constants), ours(settings, objects, constants))
            for _ in range(ROUNDS)
        ]
        theirs, own = np.min(rounds, axis=0)
        share = flops(build_teacher(settings).model()) * events / own / rate
        table.add_row(name, f"{theirs:.3f}", f"{own:.3f}", f"{theirs / own:.2f}", f"{share:.1%}")
    sizes = f"{events} events, batches of {BATCH}; matrix product: {rate / 1e9:.0f} GFLOP/s"
    show("training", table, [sizes, f"target: a ratio of at least {TARGET:g}"])


if __name__ == "__main__":
    main()
