"""The student family ``hgq``: dense layers whose bits are learned, one width for each number.

High-granularity quantization (Sun et al., arXiv:2405.00645): bits of each weight, input and
activation are trained with the network, and a penalty on bit operations takes them away. What is
trained needs the optional package ``HGQ``; what is left is a model of Keras that does not.
"""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from l1distill.core.errors import ConfigError
from l1distill.models.students import OUTPUT_LAYER, StudentBase, quantized_inputs
from l1distill.training.settings import ScheduleSettings, TrainingSettings

if TYPE_CHECKING:
    from tensorflow import keras

NUMBERS = "numbers"
"""Name of the layer that learns the bits of the inputs."""


class HgqSettings(StudentBase):
    """A multilayer perceptron that learns the width of every number, and what a bit costs it.

    ``input_bits`` are those of the ports; of each, the network reads as many as it learns to need.
    """

    family: Literal["hgq"] = "hgq"
    """What kind of model it is; each has settings of its own."""
    layers: list[Annotated[int, Field(gt=0, le=4096)]] = Field(default=[16], min_length=1)
    """Nodes of the hidden layers."""
    weight_bits: int = Field(default=4, ge=1, le=12)
    """Bits that every weight begins with."""
    activation_fraction: int = Field(default=4, ge=0, le=12)
    """Bits behind the point that every input and activation begins with."""
    beta: float = Field(default=1e-4, gt=0)
    """Weight of a bit operation in the loss in the end; more of it makes smaller firmware."""
    beta_start: float = Field(default=1e-6, gt=0)
    """Weight in the first step; it rises geometrically."""
    rising: float = Field(default=0.7, gt=0, lt=1)
    """Share of the epochs in which it rises and bits are learned; behind them bits stay as they
    are, and the learning rate falls to zero along a cosine."""
    training: TrainingSettings = TrainingSettings(
        epochs=60,
        batch_size=1024,
        learning_rate=0.005,
        patience=60,
        schedule=ScheduleSettings(kind="constant"),
    )

    @model_validator(mode="after")
    def _bits_become_dearer(self) -> "HgqSettings":
        if self.beta_start > self.beta:
            raise ValueError(
                f"beta_start={self.beta_start:g}: bits become dearer while they are learned, up to "
                f"beta={self.beta:g}; take a beta_start of at most that"
            )
        return self

    @property
    def frozen_from(self) -> int:
        """The first epoch in which bits stay as they are."""
        return min(max(round(self.rising * self.training.epochs), 1), self.training.epochs - 1)


def check_installed() -> None:
    """Refuse the family where its package is missing.

    Raises:
        ConfigError: it is.
    """
    if find_spec("HGQ") is None:
        raise ConfigError(
            "student=hgq: HGQ is not installed; pip install 'l1distill[hgq]', or take student=mlp"
        )


def build_hgq(settings: HgqSettings, features: int, outputs: int) -> "keras.Model":
    """Build the network whose bits are learned, from numbers that are on the ports' grid.

    Args:
        settings: nodes, and bits to begin with.
        features: numbers that it reads.
        outputs: numbers that it answers.
    """
    from HGQ import HDense, HQuantize, get_default_kq_conf, get_default_paq_conf
    from tensorflow.keras import Model, layers

    of_weights = {**get_default_kq_conf(), "init_bw": settings.weight_bits}
    of_numbers = {**get_default_paq_conf(), "init_bw": settings.activation_fraction}
    cut = {**of_numbers, "rnd_strategy": "floor"}  # to drop bits of a port is free

    def quantizers() -> dict[str, Any]:
        return {"kq_conf": dict(of_weights), "paq_conf": dict(of_numbers)}

    inputs = layers.Input((features,))
    x = HQuantize(paq_conf=cut, name=NUMBERS)(inputs)
    for number, nodes in enumerate(settings.layers, 1):
        x = HDense(nodes, activation="relu", name=f"dense_{number}", **quantizers())(x)
    x = HDense(outputs, name=OUTPUT_LAYER, **quantizers())(x)
    return Model(inputs, x, name="student")


def fixed_student(
    settings: HgqSettings,
    trained: "keras.Model",
    numbers: NDArray[np.float32],
    limits: NDArray[np.float32],
    input_exponents: Sequence[int] = (),
) -> "keras.Model":
    """Return the student whose every number has a fixed-point type.

    Inputs and outputs are clipped at the ends of their ranges. Activations in between wrap around
    beyond the largest that ``numbers`` give, which costs no logic.

    Args:
        settings: of the student.
        trained: network of :func:`build_hgq`.
        numbers: (n, features) on the ports' grid; ranges of activations are measured on them.
        limits: (2, features) smallest and largest number of each port.
        input_exponents: see :func:`.students.quantized_inputs`.
    """
    from HGQ import to_proxy_model, trace_minmax
    from tensorflow.keras import Model

    from l1distill.models.hgq_proxy import FixedPointQuantizer

    trace_minmax(trained, numbers, verbose=False)
    _widen(trained.get_layer(NUMBERS).paq, limits)
    proxy = to_proxy_model(trained)
    inputs, x = quantized_inputs(settings, numbers.shape[1], input_exponents)
    weights = {}
    chain = [layer for layer in proxy.layers if type(layer).__name__ != "InputLayer"]
    for layer in chain:
        config = layer.get_config()
        own = type(layer)
        if own.__name__ == FixedPointQuantizer.__name__:
            own = FixedPointQuantizer
            if layer in (chain[0], chain[-1]):
                config["SAT"] = "SAT"
        copy = own.from_config(config)
        x = copy(x)
        weights[copy.name] = layer.get_weights()
    student = Model(inputs, x, name="student")
    for name, values in weights.items():
        student.get_layer(name).set_weights(values)
    return student


def _widen(quantizer: Any, limits: NDArray[np.float32]) -> None:
    """Have inputs hold all that their ports do, rounded to the bits that were learned."""
    import tensorflow as tf

    steps = np.exp2(-np.round(quantizer.fbw.numpy()))
    low, high = (np.floor(row[None] / steps) * steps for row in limits.astype(np.float64))
    quantizer._min.assign(tf.minimum(quantizer._min, low.astype(np.float32)))
    quantizer._max.assign(tf.maximum(quantizer._max, high.astype(np.float32)))
