"""A candidate as a quantized network, without Keras: what the estimate of its cost takes."""

from collections.abc import Sequence

import numpy as np

from l1distill.firmware.network.builder import Builder
from l1distill.firmware.network.fixed_point import FixedPoint
from l1distill.firmware.network.layers import Affine, Dense, Quantize
from l1distill.firmware.network.network import Network
from l1distill.models.mlp import StudentSettings
from l1distill.search.weights import Layers


def network_of(
    student: StudentSettings, layers: Layers, input_exponents: Sequence[int] = ()
) -> Network:
    """Return the network that a student with these weights is in firmware.

    It is what :func:`l1distill.firmware.readers.qkeras.from_qkeras` reads from the student in
    QKeras, in a hundredth of the time.

    Args:
        student: its layers and types.
        layers: weights before they are rounded.
        input_exponents: see :func:`l1distill.models.mlp.build_student`.
    """

    def signed(bits: int, integer: int) -> FixedPoint:
        return FixedPoint(signed=True, integer=integer, fraction=bits - 1 - integer)

    exponents = tuple(int(power) for power in input_exponents)
    inputs = signed(student.input_bits, 0 if exponents else student.input_integer)
    builder = Builder(layers[0][0].shape[0], inputs, exponents if any(exponents) else ())
    if exponents:
        builder.add(Affine.exact("input_units", np.exp2(np.asarray(exponents, np.float64))))
    names = student.weighted_layers()
    for place, (name, (kernel, bias)) in enumerate(zip(names, layers, strict=True)):
        kernel_type, bias_type = (
            signed(student.width(f"{of}_bits", place), student.width(f"{of}_integer", place))
            for of in ("weight", "bias")
        )
        builder.add(
            Dense(
                name,
                kernel=kernel_type.quantize(kernel),
                bias=bias_type.quantize(bias),
                kernel_type=kernel_type,
                bias_type=bias_type,
            )
        )
        if name != names[-1]:
            integer = student.width("activation_integer", place)
            fraction = student.width("activation_bits", place) - integer
            relu = FixedPoint(signed=False, integer=integer, fraction=fraction)
            builder.add(Quantize(name.replace("dense_", "relu_"), type=relu))
    outputs = signed(student.output_bits, student.output_integer)
    builder.add(Quantize("score_quantizer", type=outputs))
    return builder.network()
