"""Log models with pinned requirements and the code that loads them."""

from collections.abc import Mapping
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import l1distill
from l1distill.artifacts.record import ModelSpec
from l1distill.core.logging import silence_library

PACKAGE = Path(l1distill.__file__).parent


def log_pyfunc(spec: ModelSpec, folder: Path, tags: Mapping[str, str]) -> str:
    """Log a pyfunc model into the active run.

    The package's own source goes with it. Requirements are explicit: inferring them takes ten
    seconds and a second process.

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

    # No schema for the input: MLflow would then refuse float32 events where it was told float64,
    # and the models check the shape themselves.
    scores = TensorSpec(dtype("float32"), (-1,))
    with silence_library("mlflow"):  # its advice on type hints and input examples
        info = mlflow.pyfunc.log_model(
            name=spec.name,
            python_model=_script(spec.script),
            artifacts={key: str(folder / path) for key, path in spec.artifacts.items()},
            pip_requirements=[f"{name}=={version(name)}" for name in spec.requirements],
            code_paths=[str(PACKAGE)],
            signature=ModelSignature(outputs=Schema([scores])),
            tags=dict(tags),
        )
    return str(info.model_id)


def _script(module: str) -> str:
    """Return the file of a module without importing it."""
    spec = find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    return spec.origin
