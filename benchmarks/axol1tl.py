"""Firmware of the networks that CMS's anomaly trigger has: AXOL1TL v3 and v5, types and all.

Run from the project's folder, after ``l1distill generate profile=quick``:
``python benchmarks/axol1tl.py [FOLDER]``, some minutes on two cores. Shapes and types are those of
the repository cms-hls4ml/AXOL1TL on GitHub (``AXOL1TL_v3/NN/defines.h``, ``AXOL1TL_v5/NN/``). The
weights are trained here, on the background of ``task=anomaly`` in the integers of the CMS global
trigger; with FOLDER, a clone of that repository, its own weights are measured as well. Each is
verified bit for bit as ``l1distill synthesize`` does.
"""

import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from omegaconf import OmegaConf
from recording import arguments, show
from rich.table import Table

from l1distill.data.splits import Split
from l1distill.firmware.devices import Device
from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.port_settings import PortSettings
from l1distill.firmware.settings import FirmwareSettings, ScoreSettings
from l1distill.firmware.synthesis import synthesize
from l1distill.tasks.anomaly.dataset import open_dataset

DATA = Path("data/anomaly")
PORTS = Path("conf/ports/cms_gt.yaml")
DEVICE = Path("conf/firmware/device/vu13p.yaml")
INPUTS = 57
EPOCHS, BATCH, SEED = 60, 256, 1
Array = NDArray[np.float64]


class Layer(NamedTuple):
    """A fully connected layer: its width, and bits and integer bits of weights and biases."""

    width: int
    weights: tuple[int, int]
    biases: tuple[int, int]
    relu: bool = True


class Version(NamedTuple):
    """A version of AXOL1TL.

    Attributes:
        input: Bits and integer bits of the inputs, the sign not counted.
        embedding: Layers up to the space that the score is of.
        autoencoder: Layers behind it, of v5.
        weights: Numbers of the layers in the names of the published arrays, ``w3`` and ``b3``.
    """

    input: tuple[int, int]
    embedding: Sequence[Layer]
    autoencoder: Sequence[Layer]
    weights: Sequence[int]


V3 = Version(
    (8, 5),
    [
        Layer(32, (6, 2), (10, 6)),
        Layer(16, (6, 2), (10, 6)),
        Layer(8, (6, 2), (10, 6), relu=False),
    ],
    [],
    (2, 4, 6),
)
V5 = Version(
    (14, 5),
    [Layer(29, (4, 0), (4, 0)), Layer(10, (4, 0), (4, 0))],
    [
        Layer(9, (5, 1), (4, 0)),
        Layer(6, (5, 1), (4, 0)),
        Layer(4, (5, 1), (4, 0), relu=False),
        Layer(6, (4, 0), (4, 0)),
        Layer(9, (5, 1), (4, 0)),
        Layer(10, (5, 1), (4, 0), relu=False),
    ],
    (3, 7, 11, 15, 19, 21, 25, 29),
)
ACTIVATION, SCORE, LATENT = (10, 6), (18, 13), (10, 6)
"""Bits and integer bits of a ReLU, of v5's score, and of v3's means."""
NOTES = (
    "Public figures: a budget of 50 ns for the whole algorithm in the global trigger's Virtex-7, "
    "the scaling of the inputs included; of v5 about 5% of that device's LUTs (some 22,000) and "
    "no DSP (reported of CMS's performance note of 2025).",
    "They differ because ours is an UltraScale+ at 240 MHz, the network with its score alone, "
    "squares in DSPs, LUTs as yosys counts them, an upper bound, and cycles by alkaid's delays "
    "with registers behind each stage; theirs are of hls4ml's firmware inside the trigger. Nothing "
    "has been placed and routed here.",
    "With firmware.fit_clock=true, the default, stages are cut shorter where the longest would "
    "not leave the setup uncertainty of the clock free: more cycles and flip-flops. Neither "
    "version is then within 50 ns.",
    "Before there was firmware.fit_clock, v3 with the published weights stood at 15,667 LUT and 9 "
    "cycles (37.5 ns). firmware.latency_cutoff_ns=4.5 firmware.fit_clock=false gives 9 cycles "
    "again, with a stage of 6.1 ns by alkaid's estimate, which does not close at 240 MHz.",
)


def load_inputs() -> Array:
    """Return (n, 57) inputs: the trigger's integers, over a power of two of each slot."""
    events = np.asarray(open_dataset(DATA).training.part(Split.TRAIN), dtype=np.float64)
    settings = PortSettings.model_validate(OmegaConf.to_container(OmegaConf.load(PORTS)))
    ports = settings.integer_ports([1.0] * INPUTS)
    codes = np.rint(events.reshape(-1, INPUTS) / [port.gain for port in ports])
    codes = np.minimum(codes, [port.type.high for port in ports])
    spread = np.nanstd(np.where(codes == 0, np.nan, codes), axis=0)
    shifts = np.ceil(np.log2(np.maximum(np.nan_to_num(spread), 1.0)))
    result: Array = codes * 2.0**-shifts
    return result


def dense(layer: Layer, name: str) -> Callable[[Any], Any]:
    """Return a quantized layer with the ReLU behind it."""
    from qkeras import QActivation, QDense, quantized_bits, quantized_relu

    linear = QDense(
        layer.width,
        kernel_quantizer=quantized_bits(*layer.weights, alpha=1),
        bias_quantizer=quantized_bits(*layer.biases, alpha=1),
        name=name,
    )
    relu = QActivation(quantized_relu(*ACTIVATION), name=f"{name}_relu")
    return lambda x: relu(linear(x)) if layer.relu else linear(x)


def chain(layers: Sequence[Layer], x: Any, name: str) -> Any:
    """Return what layers give, one behind the other."""
    for number, layer in enumerate(layers):
        x = dense(layer, f"{name}_{number}")(x)
    return x


def build(version: Version) -> tuple[Any, Any]:
    """Return the network, whose output is the score of v5 or v3's means, and its embedding."""
    from qkeras import QActivation, quantized_bits
    from tensorflow.keras import Input, Model, layers

    events = Input((INPUTS,))
    x = QActivation(quantized_bits(*version.input, alpha=1), name="inputs")(events)
    embedded = chain(version.embedding, x, "embedding")
    if not version.autoencoder:
        embedded = QActivation(quantized_bits(*LATENT, alpha=1), name="means")(embedded)
        return Model(events, embedded), Model(events, embedded)
    rebuilt = chain(version.autoencoder, embedded, "autoencoder")
    difference = layers.Subtract()([rebuilt, embedded])
    square = layers.Dot(axes=1)([difference, difference])
    score = QActivation(quantized_bits(*SCORE, alpha=1), name="score")(square)
    return Model(events, score), Model(events, embedded)


def batches(x: Array, epochs: int) -> Iterator[Any]:
    """Yield batches in random order."""
    rng = np.random.default_rng(SEED)
    for _ in range(epochs):
        for rows in np.split(rng.permutation(len(x)), range(BATCH, len(x), BATCH)):
            yield x[rows].astype(np.float32)


def minimize(loss: Callable[[Any], Any], variables: Sequence[Any], x: Array, epochs: int) -> None:
    """Train variables with Adam."""
    import tensorflow as tf

    optimizer = tf.keras.optimizers.Adam(2e-3)

    @tf.function(reduce_retracing=True)
    def step(batch: Any) -> None:
        with tf.GradientTape() as tape:
            value = loss(batch)
        optimizer.apply_gradients(zip(tape.gradient(value, variables), variables, strict=True))

    for batch in batches(x, epochs):
        step(batch)


def train_v3(x: Array) -> Any:
    """Train a variational autoencoder; return its encoder up to the means."""
    import tensorflow as tf
    from tensorflow.keras import Sequential, layers

    model, encoder = build(V3)
    latent = V3.embedding[-1].width
    spreads = Sequential([layers.Dense(16, "relu"), layers.Dense(latent)])
    decoder = Sequential([layers.Dense(16, "relu"), layers.Dense(32, "relu"), layers.Dense(INPUTS)])
    spreads.build((None, INPUTS))
    decoder.build((None, latent))

    def loss(batch: Any) -> Any:
        means, logs = encoder(batch), tf.clip_by_value(spreads(batch), -8.0, 4.0)
        drawn = means + tf.exp(0.5 * logs) * tf.random.normal(tf.shape(means), seed=SEED)
        divergence = 0.5 * tf.reduce_sum(means**2 + tf.exp(logs) - logs - 1, axis=1)
        error = tf.reduce_mean((decoder(drawn) - batch) ** 2, axis=1)
        return tf.reduce_mean(error + 0.01 * divergence)

    trained = [v for part in (encoder, spreads, decoder) for v in part.trainable_variables]
    minimize(loss, trained, x, EPOCHS)
    return model


def train_v5(x: Array) -> Any:
    """Train the embedding by VICReg (arXiv:2105.04906), then the autoencoder on it."""
    import tensorflow as tf
    from tensorflow.keras import Sequential, layers

    model, embedding = build(V5)
    head = Sequential([layers.Dense(32, "relu"), layers.Dense(32)])
    head.build((None, V5.embedding[-1].width))

    def view(batch: Any) -> Any:
        """Leave out objects, and smear the others."""
        slots = tf.reshape(batch, (-1, INPUTS // 3, 3))
        kept = tf.cast(tf.random.uniform(tf.shape(slots[:, :, :1])) > 0.15, tf.float32)
        smeared = slots * (1 + 0.1 * tf.random.normal(tf.shape(slots)))
        return tf.reshape(smeared * kept, (-1, INPUTS))

    def regularized(z: Any) -> Any:
        z -= tf.reduce_mean(z, axis=0)
        spread = tf.sqrt(tf.math.reduce_variance(z, axis=0) + 1e-4)
        covariance = tf.matmul(z, z, transpose_a=True) / tf.cast(tf.shape(z)[0], tf.float32)
        others = covariance - tf.linalg.diag(tf.linalg.diag_part(covariance))
        return tf.reduce_mean(tf.nn.relu(1 - spread)) + 0.04 * tf.reduce_mean(others**2) * 32

    def contrast(batch: Any) -> Any:
        one, other = (head(embedding(view(batch))) for _ in range(2))
        return tf.reduce_mean((one - other) ** 2) + regularized(one) + regularized(other)

    minimize(contrast, [*embedding.trainable_variables, *head.trainable_variables], x, EPOCHS)
    own = {id(variable) for variable in embedding.trainable_variables}
    rest = [v for v in model.trainable_variables if id(v) not in own]
    minimize(lambda batch: tf.reduce_mean(model(batch)), rest, x, 2 * EPOCHS)
    return model


def published(version: Version, folder: Path) -> Any:
    """Return a network with the weights in ``weights.h`` of a version's folder."""
    text = (folder / "NN" / "weights.h").read_text(encoding="utf-8")
    arrays = {
        name: np.array(numbers.split(","), dtype=np.float64)
        for name, numbers in re.findall(r"(\w+)\[\d+\]\s*=\s*\{([^}]*)\}", text)
    }
    model, _ = build(version)
    linear = [layer for layer in model.layers if type(layer).__name__ == "QDense"]
    for layer, number in zip(linear, version.weights, strict=True):
        kernel = arrays[f"w{number}"].reshape(layer.kernel.shape)
        layer.set_weights([kernel, arrays[f"b{number}"]])
    return model


def measure(model: Any, version: Version, x: Array, fits_clock: bool) -> tuple[str, ...]:
    """Synthesize and verify a network; return the cells of a row."""
    score = ScoreSettings() if version.autoencoder else ScoreSettings(kind="sum_mu2", latent=8)
    bits, integer = version.input
    grid = FixedPoint(signed=True, integer=integer, fraction=bits - 1 - integer)
    found = synthesize(
        model,
        grid.quantize(x),
        FirmwareSettings(
            device=Device.model_validate(OmegaConf.to_container(OmegaConf.load(DEVICE))),
            fit_clock=fits_clock,
            rtl_simulation_time_limit_s=3600.0,
            hls_time_limit_s=3600.0,
            yosys_time_limit_s=3600.0,
        ),
        score=score,
        progress=lambda step: print(step, file=sys.stderr),
    ).report.to_metrics()
    return (
        f"{found['firmware/lut']:,.0f}",
        f"{found['firmware/ff']:,.0f}",
        f"{found['firmware/dsp']:.0f}",
        f"{found['firmware/latency_cycles']:.0f}",
        f"{found['firmware/latency_ns']:.1f}",
        f"{found['firmware/mismatches']:.0f} of {found['firmware/verified_events']:,.0f}",
    )


def main() -> None:
    """Train, synthesize and verify each version."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tensorflow as tf

    tf.keras.utils.set_random_seed(SEED)
    x = load_inputs()
    models = [("v3, trained here", V3, train_v3(x)), ("v5, trained here", V5, train_v5(x))]
    for folder in map(Path, arguments()):
        models.append(("v3, published weights", V3, published(V3, folder / "AXOL1TL_v3")))
        models.append(("v5, published weights", V5, published(V5, folder / "AXOL1TL_v5")))
    table = Table("network", "stages", "LUT", "FF", "DSP", "cycles", "ns", "events that differ")
    for name, version, model in models:
        for words, fits_clock in (("fit the clock", True), ("3.5 ns", False)):
            table.add_row(name, words, *measure(model, version, x, fits_clock))
    show("axol1tl", table, NOTES)


if __name__ == "__main__":
    main()
