import importlib
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from pydantic import BaseModel

from l1distill.cli import STAGES
from l1distill.errors import InputError
from l1distill.stages.door import flatten, parse
from tests.settings import ROOT


def _composed(stage: str, *overrides: str) -> dict[str, Any]:
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        plain = OmegaConf.to_container(compose(stage, list(overrides)), resolve=True)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def _settings(stage: str) -> type[BaseModel]:
    settings: type[BaseModel] = importlib.import_module(f"l1distill.stages.{stage}").STAGE.settings
    return settings


@pytest.mark.parametrize("stage", STAGES)
def test_the_shipped_configuration_is_whole(stage: str) -> None:
    """Each setting stands in conf/: what is not there cannot be overridden or found by --help."""
    composed = _composed(stage)
    settings = parse(_settings(stage), composed)
    dumped = settings.model_dump(mode="json")
    dumped.pop("gates", None)  # gates are named freely, and most have one bound only
    missing = set(flatten(dumped)) - set(flatten(composed))
    assert missing == set()


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("weight_bits", "six", "student.weight_bits='six': input should be a valid integer"),
        ("weight_bits", None, "student.weight_bits=None"),
        ("layers", [8.5], "student.layers.0=8.5"),
        ("wieght_bits", 8, "student.wieght_bits: no such key; did you mean student.weight_bits?"),
    ],
)
def test_what_is_wrong_is_named(key: str, value: object, says: str) -> None:
    composed = _composed("student")
    composed["student"][key] = value
    with pytest.raises(InputError) as refusal:
        parse(_settings("student"), composed)
    assert str(refusal.value).startswith(says)


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("executor.workers=0", "executor.workers=0: input should be greater than or equal to 1"),
        ("seed=-1", "seed=-1: input should be greater than or equal to 0"),
        ("student.layers=[0]", "student.layers.0=0: input should be greater than 0"),
        ("student.layers=[1000000]", "student.layers.0=1000000: input should be less than"),
        ("compression.sparsity=1.5", "compression.sparsity=1.5: input should be less than 1"),
        ("compression.begin_epoch=30", "compression: begin_epoch=30 must come before end_epoch=25"),
        (
            "student.training.epochs=20",
            "student.training.epochs=20 leaves no epoch after",
        ),
    ],
)
def test_values_that_make_no_sense_are_refused(override: str, says: str) -> None:
    with pytest.raises(InputError) as refusal:
        parse(_settings("student"), _composed("student", override))
    assert str(refusal.value).startswith(says)


def test_a_gate_without_a_bound_is_refused() -> None:
    composed = _composed("promote")
    composed["gates"]["lut"] = {"metric": "firmware/lut_percent"}
    with pytest.raises(InputError, match=r"gates\.lut"):
        parse(_settings("promote"), composed)


def test_flatten_keeps_lists_and_empty_sections() -> None:
    nested = {"a": {"b": 1, "c": {"d": [1, 2]}}, "e": {}, "f": None}
    assert flatten(nested) == {"a.b": 1, "a.c.d": [1, 2], "e": {}, "f": None}
