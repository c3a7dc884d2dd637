"""Render the reference of layers from the registries of the readers and of the back ends."""

import importlib
import pkgutil
from collections.abc import Iterable

from docs.generate.text import bullets, table

CONTEXT = {
    "Activation": "linear; relu; sigmoid and tanh of straight pieces; softmax at the end",
    "Conv1D": "rounded",
    "Conv2D": "rounded",
    "Dense": "rounded",
    "FixedPointQuantizer": "in a proxy model of HGQ, of each element",
    "LeakyReLU": "before a quantizer, or rounded",
    "ReLU": "before a quantizer, or rounded",
    "Softmax": "at the end, as `precision.softmax` says",
    "UnaryLUT": "in a proxy model of HGQ",
}
"""Layers of a QKeras model that are read together with what stands around them."""


def page() -> str:
    """Return the layers that are read, those that are refused, and what computes them."""
    from l1distill import compression, firmware

    for package in (firmware, compression):  # back ends register themselves
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    from l1distill.compression.float_layers import LAYER_READERS as FLOAT_READERS
    from l1distill.firmware.network.back_ends import BACK_ENDS
    from l1distill.firmware.network.layers import layer_classes
    from l1distill.firmware.readers.hgq import QUANTIZER, TABLE
    from l1distill.firmware.readers.keras_calls import IDENTITY_LAYERS
    from l1distill.firmware.readers.merges import MERGE_LAYERS
    from l1distill.firmware.readers.operations import FUNCTIONS, Elements, Reduction
    from l1distill.firmware.readers.qkeras_layers import LAYER_READERS, UNTYPED
    from l1distill.firmware.readers.qkeras_weights import WEIGHT_QUANTIZERS

    everywhere = {*MERGE_LAYERS, *IDENTITY_LAYERS, "TimeDistributed"}
    inner = {Elements.__name__, Reduction.__name__}
    quantized, plain = (
        {*readers, *everywhere} - inner for readers in (LAYER_READERS, FLOAT_READERS)
    )
    from l1distill.firmware.functions.scalar_functions import FUNCTIONS as PIECEWISE

    rows = [
        (
            f"`{name}`",
            CONTEXT.get(name, "yes" if name in quantized else ""),
            "rounded" if name in plain else "",
        )
        for name in sorted(quantized | plain | {QUANTIZER, TABLE}, key=str.lower)
    ]
    own = [
        (f"`{layer.__name__}`", _summary(layer))
        for layer in layer_classes()
        if layer.__module__.startswith("l1distill.")
    ]
    return "\n".join(
        (
            "## Keras and QKeras layers\n",
            table(("layer", "in a QKeras model", "in a model in floating point"), rows),
            f"Functions of TensorFlow that are layers too: {_code(FUNCTIONS)}.\n",
            f"Functions of straight pieces: {_code(PIECEWISE)}.\n",
            f"Weights of a QKeras model have one of the quantizers {_code(WEIGHT_QUANTIZERS)}.\n",
            "Without a type in a QKeras model, and rounded to `precision.bits`:\n",
            bullets(f"`{name}`: {reason}." for name, reason in UNTYPED.items()),
            "## Layers of the network\n",
            "Everything above becomes these layers, whose results are exact:\n",
            table(("layer", "what it computes"), own),
            "Each of them is in each back end; a test names a back end that lacks one:\n",
            bullets(sorted(BACK_ENDS)),
        )
    )


def _summary(layer: type) -> str:
    return (layer.__doc__ or "").strip().split("\n\n")[0].replace("``", "`")


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
