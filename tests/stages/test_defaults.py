"""Defaults stand twice, in conf/ and in the settings classes; here they are held equal."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from l1distill.cli import STAGES
from l1distill.stages.composition import compose_stage, to_plain
from l1distill.stages.configuration import flatten, settings_class
from l1distill.stages.setting_types import section_class
from tests.settings import ROOT

NAMES_OF_A_CHOICE = {"gate_profile"}
"""Keys that name the file that they stand in; settings made in Python come from no file."""


def _composed(stage: str, *overrides: str) -> dict[str, Any]:
    """The composed configuration; what follows another key is left as it is written, ``${...}``."""
    return to_plain(compose_stage(stage, overrides).config, resolve=False)


def _compare(
    settings: type[BaseModel], composed: Mapping[str, Any], prefix: str = ""
) -> Iterator[tuple[str, Any, Any]]:
    """Yields the keys that have a default in both places: name, in conf/, in Python."""
    for name, field in settings.model_fields.items():
        if name not in composed or name in NAMES_OF_A_CHOICE:
            continue
        value, key = composed[name], f"{prefix}{name}"
        section = section_class(field.annotation, value)
        default = None if field.is_required() else field.get_default(call_default_factory=True)
        if section is not None and not isinstance(default, section):
            yield from _compare(section, value, f"{key}.")
        elif not field.is_required():
            plain = settings.model_construct(**{name: default}).model_dump(mode="json")[name]
            in_python, in_conf = flatten({key: plain}), flatten({key: value})
            for leaf in sorted({*in_python, *in_conf}):
                ours, theirs = in_conf.get(leaf), in_python.get(leaf)
                follows = isinstance(ours, str) and "${" in ours
                empty = ours is None and theirs in (None, {})
                if not follows and not empty and not (theirs == {} and leaf not in in_conf):
                    yield leaf, ours, theirs


def _differences(
    settings: type[BaseModel], composed: Mapping[str, Any]
) -> dict[str, tuple[Any, Any]]:
    return {
        key: (in_conf, in_python)
        for key, in_conf, in_python in _compare(settings, composed)
        if in_conf != in_python
    }


TASKS = {path.stem for path in (ROOT / "conf/task").glob("*.yaml")}

OF_A_CLASS_OF_THEIR_OWN = [
    (stage, f"{group}={path.stem}")
    for stage, group in (("generate", "data"), ("generate", "executor"), ("student", "student"))
    for path in sorted((ROOT / "conf" / group).glob("*.yaml"))
    if group != "student" or path.stem not in TASKS
] + [("student", "compression=autopruner")]
"""Choices whose file is the default of a settings class; others change values of a class, as a
task's own student does."""

PLAIN = {"student": "mlp", "compression": "pruning"}
"""What the classes know: a student and a compression of no task."""

OTHERS = {"data=jets": ["task=jets"], "data=pileup": ["task=pileup"]}
"""Choices of other groups that a choice belongs to."""


def _plain(stage: str, choice: str = "") -> list[str]:
    """The overrides for a choice, with what a stage takes from the task set to the plain one."""
    group, _, name = choice.partition("=")
    known = compose_stage(stage).choices
    plain = {key: value for key, value in PLAIN.items() if key in known and stage != "teacher"}
    return [
        f"{key}={value}" for key, value in {**plain, **({group: name} if group else {})}.items()
    ]


@pytest.mark.parametrize(
    ("stage", "choice"),
    [
        *((stage, "") for stage in STAGES),
        *OF_A_CLASS_OF_THEIR_OWN,
        ("synthesize", "shape=qdistillnet"),
    ],
)
def test_defaults_are_the_same_in_conf_and_in_python(stage: str, choice: str) -> None:
    composed = _composed(stage, *_plain(stage, choice), *OTHERS.get(choice, []))
    settings = settings_class(stage, composed)
    assert _differences(settings, composed) == {}
    assert len(list(_compare(settings, composed))) > 3


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("student.weight_bits", 7),
        ("student.layers", [32, 17]),
        ("student.training.epochs", 61),
        ("student.inputs.pt_unit_max_gev", 65.0),
        ("compression.sparsity", 0.25),
        ("teacher_folder", "models/other"),
        ("data.generator.detector.jet_radius", 0.5),
        ("tracking.uri", "other"),
    ],
)
def test_a_difference_is_found_and_named(key: str, value: Any) -> None:
    composed = _composed("student", *_plain("student"))
    *sections, name = key.split(".")
    place = composed
    for section in sections:
        place = place[section]
    before, place[name] = place[name], value
    assert _differences(settings_class("student", composed), composed) == {key: (value, before)}


def test_every_group_file_that_is_a_default_is_compared() -> None:
    """Walks conf/: a file is composed by some stage, or is a choice that changes values."""
    composed = {
        f"{group.partition('@')[0]}/{name}"
        for stage in STAGES
        for task in sorted(TASKS)
        for group, name in compose_stage(stage, (f"task={task}",)).choices.items()
        if name is not None
    }
    composed -= {"augmentation/jets", "augmentation/pileup"}  # optional: they make no pseudo-items
    composed |= {choice.replace("=", "/") for _, choice in OF_A_CLASS_OF_THEIR_OWN}
    files = {
        path.relative_to(ROOT / "conf").with_suffix("").as_posix()
        for path in (ROOT / "conf").rglob("*.yaml")
        if path.parent != ROOT / "conf"
    }
    assert composed <= files
    groups = {Path(file).parent.as_posix() for file in files - composed}
    changing = {"compression", "device", "experiment", "firmware/device", "gates", "profile"}
    changing |= {
        "student/family",
        "recipe",
        "distillation",
        "profile/anomaly",
        "profile/jets",
        "profile/pileup",
    }
    assert groups <= changing | {"published", "ports", "quantization", "shape", "teacher"}
