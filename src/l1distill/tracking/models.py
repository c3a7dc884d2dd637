"""Log models with pinned requirements and the code that loads them."""

from collections.abc import Mapping
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import l1distill
from l1distill.artifacts.record import ModelSpec
from l1distill.core.logging import silence_library
from l1distill.data.encoding import InputEncoding

PACKAGE = Path(l1distill.__file__).parent


def log_pyfunc(spec: ModelSpec, folder: Path, tags: Mapping[str, str]) -> str:
    """Log a pyfunc model into the active run.

    The whole of the package goes with it: MLflow puts its folder first on the path of the process
    that loads the model and of its children, where a part would hide the rest. Requirements are
    explicit: inferring them takes ten seconds and a second process.

    Args:
        spec: the model.
        folder: where its artifacts are.
        tags: tags of the logged model.

    Returns:
        MLflow's model id.
    """
    import mlflow
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec
    from numpy import dtype

    items = TensorSpec(dtype("float32"), (-1, *_item_shape(spec, folder)))
    scores = TensorSpec(dtype("float32"), (-1,))
    signature = ModelSignature(inputs=Schema([items]), outputs=Schema([scores]))
    # The signature says what the model takes, and the model enforces it: MLflow would refuse every
    # type of number but one, and lists. It leaves that to models with a signature of type hints.
    signature._is_signature_from_type_hint = True
    with silence_library("mlflow"):  # its advice on type hints and input examples
        info = mlflow.pyfunc.log_model(
            name=spec.name,
            python_model=_script(spec.script),
            artifacts={key: str(folder / path) for key, path in spec.artifacts.items()},
            pip_requirements=[f"{name}=={version(name)}" for name in spec.requirements],
            code_paths=[str(PACKAGE)],
            signature=signature,
            tags=dict(tags),
        )
    return str(info.model_id)


def _item_shape(spec: ModelSpec, folder: Path) -> tuple[int, ...]:
    """Return the shape of an item, which the encoding among the model's artifacts says."""
    return tuple(InputEncoding.read(folder / spec.artifacts["inputs"]).shape)


def _script(module: str) -> str:
    """Return the file of a module without importing it."""
    spec = find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    return spec.origin
