"""``import l1distill``: light, complete and documented."""

import inspect
import subprocess
import sys

import pytest

import l1distill

HEAVY = ("tensorflow", "mlflow", "numpy", "pydantic", "hydra", "matplotlib", "qkeras", "hls4ml")


def test_importing_pulls_in_nothing_heavy() -> None:
    script = f"import sys, l1distill; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_every_public_name_is_there_with_a_docstring() -> None:
    assert sorted(l1distill.__all__) == sorted(l1distill._MODULES)
    for name in l1distill.__all__:
        assert inspect.getdoc(getattr(l1distill, name)), name
        assert name in dir(l1distill)


@pytest.mark.parametrize(
    "name", ["train_teacher", "train_student", "synthesize", "quantize_teacher"]
)
def test_functions_document_arguments_results_and_errors(name: str) -> None:
    text = inspect.getdoc(getattr(l1distill, name)) or ""
    for section in ("Args:", "Returns:", "Raises:"):
        assert section in text, f"{name}: {section}"


def test_functions_of_the_library_know_no_mlflow_and_no_hydra() -> None:
    script = (
        "import sys, l1distill\n"
        "for name in l1distill.__all__: getattr(l1distill, name)\n"
        "print([m for m in ('mlflow', 'hydra', 'tensorflow') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="train_pupil"):
        _ = l1distill.train_pupil
