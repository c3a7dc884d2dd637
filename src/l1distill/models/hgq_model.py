"""Models of HGQ 0.2 (arXiv:2405.00645) themselves, through the optional package ``HGQ``.

Their files hold trained bit widths and no ranges of activations: those are measured on events.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.core.errors import DataError

LARGEST_TABLE = 2048
"""Most entries of the table that a function of one number becomes; HGQ admits fewer than 4096."""
WAY_OUT = "or give the model that HGQ.to_proxy_model makes of it"


def is_hgq(model: Any) -> bool:
    """Tell a model of HGQ from its proxy model and from other models of Keras."""
    return any(
        type(layer).__module__.startswith("HGQ.layers") and hasattr(layer, "paq")
        for layer in getattr(model, "layers", ())
    )


def load_hgq(path: Path) -> Any:
    """Read a model of HGQ, as HDF5 or ``.keras``.

    Raises:
        DataError: the package is not installed.
    """
    if find_spec("HGQ") is None:
        raise DataError(
            f"model={path}: a model of HGQ, which is not installed; pip install 'l1distill[hgq]', "
            f"{WAY_OUT}"
        )
    from HGQ.utils.utils import MonoL1
    from tensorflow import keras

    if not hasattr(MonoL1, "from_config"):  # HGQ 0.2.6 cannot read the archives that it writes
        MonoL1.from_config = classmethod(lambda cls, config: cls(**config))
    return keras.models.load_model(path, compile=False)


def to_proxy(model: Any, events: NDArray[Any]) -> Any:
    """Return the proxy model of a model of HGQ, whose every number has a fixed-point type.

    Args:
        model: the model.
        events: (n, inputs) that the ranges of activations are measured on, several inputs of the
            model side by side; numbers beyond them wrap around in firmware.
    """
    from HGQ import to_proxy_model, trace_minmax

    sizes = [int(np.prod(tensor.shape[1:])) for tensor in model.inputs]
    columns = np.split(events.astype(np.float32), np.cumsum(sizes)[:-1], axis=1)
    inputs = [
        values.reshape(len(values), *tensor.shape[1:])
        for values, tensor in zip(columns, model.inputs, strict=True)
    ]
    trace_minmax(model, inputs if len(inputs) > 1 else inputs[0], verbose=False)
    return to_proxy_model(model, unary_lut_max_table_size=LARGEST_TABLE)
