"""The classes that models are read with, and those that are refused with a way out."""

from typing import Any

from l1distill.core.errors import DataError
from l1distill.models.keras_config import class_names
from l1distill.models.tracing import trace_without_autograph

_QUANTIZED_BY_TFMOT = (
    "is of tfmot.quantization, whose steps are no powers of two; give the float model that "
    "quantize_model() was called with, or train with QKeras"
)
_OF_HGQ2 = "is of HGQ 2, which needs Keras 3; it is not read here"
FOREIGN = {
    "QuantizeLayer": _QUANTIZED_BY_TFMOT,
    "QuantizeWrapper": _QUANTIZED_BY_TFMOT,
    "QuantizeWrapperV2": _QUANTIZED_BY_TFMOT,
    "QuantizeAnnotate": _QUANTIZED_BY_TFMOT,
    "ClusterWeights": "is a wrapper of tfmot.clustering; save the model after strip_clustering()",
}
"""Classes of other packages, and why a model with them is not read."""
PRUNING_WRAPPER = "PruneLowMagnitude"


def refuse_foreign(config: Any) -> None:
    """Refuse a configuration with a class of another package.

    Raises:
        DataError: there is one; the line names its layer.
    """
    for name, class_name, package in class_names(config):
        reason = FOREIGN.get(class_name, _OF_HGQ2 if package == "hgq" else "")
        if reason:
            raise DataError(f"layer {name} ({class_name}): {reason}")


def is_hgq_config(config: Any) -> bool:
    """Tell the configuration of a model of HGQ 0.2; its proxy models are no such."""
    return any(
        name.startswith("HGQ>H") or (package == "HGQ" and name.startswith("H"))
        for _, name, package in class_names(config)
    )


def register_own_layers() -> None:
    """Make all layers of this package known to Keras' loaders; a new one is added here."""
    import l1distill.models.background_sample
    import l1distill.models.batch_normalization
    import l1distill.models.decision_trees
    import l1distill.models.hgq_proxy
    import l1distill.models.masked_dense
    import l1distill.models.select_elements  # noqa: F401 (importing makes a layer known)


def custom_objects(pruned: bool = False) -> dict[str, Any]:
    """Return the classes of QKeras, and make our own known to Keras.

    Args:
        pruned: whether the wrapper of pruning is among them.
    """
    from qkeras.quantizers import quantized_hswish
    from qkeras.utils import _add_supported_quantized_objects

    from l1distill.models import hgq_proxy

    register_own_layers()
    trace_without_autograph()
    objects: dict[str, Any] = {"quantized_hswish": quantized_hswish}
    for layer_class in (hgq_proxy.FixedPointQuantizer, hgq_proxy.UnaryLUT):
        objects[f"HGQ>{layer_class.__name__}"] = objects[layer_class.__name__] = layer_class
    _add_supported_quantized_objects(objects)
    if pruned:
        from tensorflow_model_optimization.python.core.sparsity.keras.pruning_wrapper import (
            PruneLowMagnitude,
        )

        objects[PRUNING_WRAPPER] = PruneLowMagnitude
    return objects


def without_pruning(model: Any) -> Any:
    """Return a model without the wrappers that tfmot prunes with; its weights are pruned."""
    if not _is_wrapped(model):
        return model
    from tensorflow import keras
    from tensorflow_model_optimization.sparsity.keras import strip_pruning

    with keras.utils.custom_object_scope(custom_objects()):
        return strip_pruning(model)


def _is_wrapped(model: Any) -> bool:
    return any(
        type(layer).__name__ == PRUNING_WRAPPER or (hasattr(layer, "layers") and _is_wrapped(layer))
        for layer in getattr(model, "layers", ())
    )
