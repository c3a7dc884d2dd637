import importlib
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from pydantic import BaseModel

from l1distill.cli import STAGES
from l1distill.core.errors import ConfigError, DataError
from l1distill.stages import configuration, generate, search, teacher
from l1distill.stages.configuration import flatten, parameters_of, parse
from l1distill.tasks.anomaly.task import TASK
from l1distill.tasks.base import Task, load_task
from l1distill.tasks.jets.task import TASK as JETS
from l1distill.tasks.settings import TaskSettings
from tests.settings import ROOT

PILEUP = TaskSettings(name="pileup", module="l1distill.tasks.pileup.task")


def _composed(stage: str, *overrides: str) -> dict[str, Any]:
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        plain = OmegaConf.to_container(compose(stage, list(overrides)), resolve=True)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def _settings(
    stage: str, composed: dict[str, Any] | None = None, task: Task = TASK
) -> type[BaseModel]:
    stages = importlib.import_module(f"l1distill.stages.{stage}")
    settings: type[BaseModel] = stages.STAGE.settings_for(task, composed)
    return settings


CHOICES = [
    (stage, f"{group}={path.stem}")
    for stage, group in (
        *(("generate", "data"), ("generate", "executor"), ("teacher", "teacher")),
        *(("student", "compression"), ("student", "student"), ("quantize", "quantization")),
        ("synthesize", "published"),
    )
    for path in sorted((ROOT / "conf" / group).glob("*.yaml"))
]


@pytest.mark.parametrize(("stage", "override"), [*((stage, "") for stage in STAGES), *CHOICES])
def test_the_shipped_configuration_is_whole(stage: str, override: str) -> None:
    """Each setting stands in conf/: what is not there cannot be overridden or found by --help."""
    needed = {
        "executor=dask": ["executor.address=tcp://host:8786"],
        "data=public": ["data.files.background=x.h5"],
        **{
            f"{group}={task}": [f"task={task}"]
            for group in ("data", "teacher", "student", "compression")
            for task in ("jets", "pileup")
        },
        "teacher=pileup_published": ["task=pileup"],
        "data=nanoaod": ["data.files.background=x.root"],
        "data=own": ["data.files.folders=[x]"],
    }
    composed = _composed(stage, *filter(None, [override]), *needed.get(override, []))
    others = {"jets": JETS, "own_jets": JETS, "pileup": load_task(PILEUP)}
    others["pileup_published"] = others["pileup"]
    task = others.get(override.partition("=")[2], TASK)
    settings = parse(_settings(stage, composed, task), composed)
    dumped = settings.model_dump(mode="json")
    dumped.pop("gates", None)  # gates are named freely, and most have one bound only
    # events come from one of the two
    data = dumped["data"]
    assert "files" not in data or [data.pop(k) for k in ("generator", "files") if data[k] is None]
    missing = set(flatten(dumped)) - set(flatten(composed))
    assert missing == ({"augmentation"} if stage == "student" and task is not TASK else set())


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("weight_bits", "six", "student.weight_bits='six': input should be a valid integer"),
        ("weight_bits", None, "student.weight_bits=None"),
        ("layers", [8.5], "student.layers[0]=8.5"),
        ("wieght_bits", 8, "student.wieght_bits: no such key; did you mean student.weight_bits?"),
        ("inputs", {"pt_unit_min_gev": 0}, "student.inputs.pt_unit_min_gev=0: input should be gre"),
        (
            "inputs",
            {"pt_unit_mn_gev": 1},
            "student.inputs.pt_unit_mn_gev: no such key; did you mean student.inputs.pt_unit_min",
        ),
        (
            "inputs",
            {"pt_unit_min_gev": 128},
            "student.inputs.pt_unit_min_gev must not be above student.inputs.pt_unit_max_gev",
        ),
    ],
)
def test_what_is_wrong_is_named(key: str, value: object, says: str) -> None:
    composed = _composed("student")
    composed["student"][key] = value
    with pytest.raises(ConfigError) as refusal:
        parse(_settings("student", composed), composed)
    assert str(refusal.value).startswith(says)


def test_numbers_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASK", "17")
    composed = _composed("student", "student=mlp", "seed=${oc.env:TASK}")
    assert composed["seed"] == "17"
    assert parse(_settings("student"), composed).seed == 17
    monkeypatch.setenv("TASK", "17a")
    with pytest.raises(ConfigError, match=r"^seed='17a': input should be a valid integer"):
        parse(_settings("student"), _composed("student", "student=mlp", "seed=${oc.env:TASK}"))


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("seed=-1", "seed=-1: input should be greater than or equal to 0"),
        ("student.layers=[0]", "student.layers[0]=0: input should be greater than 0"),
        ("student.layers=[1000000]", "student.layers[0]=1000000: input should be less than"),
        ("compression.sparsity=1.5", "compression.sparsity=1.5: input should be less than 1"),
        (
            "compression.begin_epoch=30",
            "compression.begin_epoch=30 must come before compression.end_epoch=25",
        ),
        (
            "student.inputs.pt_unit_min_gev=100",
            "student.inputs.pt_unit_min_gev must not be above student.inputs.pt_unit_max_gev",
        ),
        (
            "distillation.scheme=ofline",
            "distillation.scheme='ofline': input should be 'offline', 'co_training' or 'self'; did "
            "you mean offline?",
        ),
        (
            "student.training.epochs=20",
            "student.training.epochs=20 leaves no epoch after",
        ),
        (
            "distillation.augmentation=-1",
            "distillation.augmentation=-1: input should be greater than or equal to 0, or 'task'",
        ),
        (
            "distillation.augmentation=lots",
            "distillation.augmentation='lots': input should be a valid number, or 'task'",
        ),
        (
            "augmentation.added_power=[2,1]",
            "augmentation.added_power=[2, 1]: give two numbers from 0 to 5, the smaller one first",
        ),
        (
            "augmentation.added_power=[2]",
            "augmentation.added_power=[2]: too few entries; [1] is missing",
        ),
        (
            "augmentation.added_power=[1,2,3]",
            "augmentation.added_power=[1, 2, 3]: give at most 2 entries",
        ),
        ("student.layers=[]", "student.layers=[]: give at least 1 entry"),
        (
            "student.weight_bits=[4,99,1]",
            "student.weight_bits[1]=99: input should be less than or equal to 16; "
            "student.weight_bits[2]=1: input should be greater than or equal to 2",
        ),
        (
            "student.weight_bits=[4]",
            "student.weight_bits=[4]: give one number for each of the layers dense_1, dense_2, "
            "score, or a single number for all",
        ),
    ],
)
def test_values_that_make_no_sense_are_refused(override: str, says: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        parse(_settings("student"), _composed("student", "student=mlp", override))
    assert str(refusal.value).startswith(says)


@pytest.mark.parametrize(
    ("stage", "overrides", "says"),
    [
        (
            "search",
            ["search.training.epochs=4"],
            "search.training.epochs=4 leaves no epoch after search.end_epoch=5; train longer, "
            "prune earlier or set search.space.sparsity=[0]",
        ),
        (
            "search",
            ["search.begin_epoch=9"],
            "search.begin_epoch=9 must come before search.end_epoch=5",
        ),
        (
            "search",
            ["search.rungs=[3,1]"],
            "search.rungs=[3, 1]: name epochs in order, all before search.training.epochs=10",
        ),
        (
            "generate",
            ["data=own_jets", "data.files.signal=[j_tt]"],
            "data.files.signal: there is no class 'j_tt'; data.files.label names "
            "j_g, j_q, j_w, j_z, j_t; did you mean j_t?",
        ),
    ],
)
def test_rules_of_a_section_name_its_own_keys(stage: str, overrides: list[str], says: str) -> None:
    task = JETS if "data=own_jets" in overrides else TASK
    composed = _composed(stage, *overrides)
    with pytest.raises(ConfigError) as refusal:
        parse(_settings(stage, composed, task), composed)
    assert str(refusal.value) == says


def test_a_search_for_trees_is_refused_by_name() -> None:
    """They have no training, whose epochs the pruning of finalists is held against."""
    composed = _composed("search", "student=trees")
    settings = parse(_settings("search", composed), composed)
    check = search.STAGE.check
    assert check is not None
    with pytest.raises(ConfigError, match=r"student\.family=trees: a search trains"):
        check(settings, TASK)


@pytest.mark.parametrize("stage", STAGES)
def test_logs_do_not_lie_where_a_stage_writes(stage: str) -> None:
    """A folder that holds another's files is refused as an output."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        chosen = compose(stage, return_hydra_config=True)
        chosen.hydra.job.config_name = chosen.hydra.job.name = stage
        logs = Path(chosen.hydra.run.dir)
    assert logs.parent == Path("outputs/hydra", stage)
    assert Path(chosen.get("output", "outputs/none")) not in logs.parents


def test_workers_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"^executor\.workers=0: input should be greater than or"):
        parse(_settings("generate"), _composed("generate", "executor.workers=0"))


FAN_OUT = {"generate", "monitor", "pipeline", "search", "student", "teacher"}


@pytest.mark.parametrize("stage", sorted(set(STAGES) - FAN_OUT))
def test_only_a_stage_that_fans_work_out_has_an_executor(stage: str) -> None:
    assert "executor" not in _composed(stage)


@pytest.mark.parametrize("stage", STAGES)
def test_the_task_of_the_configuration_is_the_one_that_is_shipped(stage: str) -> None:
    assert parse(TaskSettings, _composed(stage)["task"], "task") == TaskSettings(
        name=TASK.name, module="l1distill.tasks.anomaly.task"
    )


@pytest.mark.parametrize(
    ("section", "says"),
    [
        (None, "task.name: missing; give it a value; task.module: missing; give it a value"),
        ({"name": "anomaly", "modul": "x"}, "task.module: missing"),
        ({"name": "anomaly", "module": "l1distill.tasks.none"}, "task.module=l1distill.tasks.none"),
    ],
)
def test_a_task_that_is_wrong_is_named_before_anything_else(
    section: dict[str, str] | None, says: str
) -> None:
    composed = _composed("student") | {"seed": "wrong"}
    if section is None:
        del composed["task"]
    else:
        composed["task"] = section
    with pytest.raises(ConfigError) as refusal:
        configuration.run("student", composed, {})
    assert str(refusal.value).startswith(says)


@pytest.mark.parametrize(
    ("data", "key", "value", "says"),
    [
        ("public", "limitt", 5, "limitt: no such key; did you mean data.files.limit?"),
        ("public", "tree", "x", "tree: no such key"),
        ("public", "limit", 0, "limit=0: input should be greater than or equal to 1"),
        ("public", "pt_unit", "mev", "pt_unit='mev': input should be 'GeV' or 'MeV'"),
        ("public", "signals", {"x": 3}, "signals.x=3: input should be a list, such as [3]"),
        ("public", "signals", {"x": ["a", 3]}, "signals.x[1]=3: input should be a valid string"),
        ("public", "signals", {"a/b": "c"}, "signals={'a/b': 'c'}: 'a/b' cannot name"),
        ("public", "reader", "publik", "reader='publik': choose one of 'public', 'nanoaod', 'own'"),
        ("nanoaod", "filter", {"pt": 1}, "filter.pt: no such key"),
        (
            "nanoaod",
            "filter",
            {"muon_pt": 1.0},
            "filter.muon_pt: no such key; did you mean data.files.filter.muon_pt_min?",
        ),
        ("nanoaod", "met", 3, "met=3: input should be 'auto', 'MET', 'PuppiMET' or 'PFMET'"),
        ("own", "background", "x", "background: no such key"),
        ("own", "folders", [None], "folders[0]=None: input should be a valid string"),
    ],
)
def test_keys_of_a_choice_are_named_as_they_are_written(
    data: str, key: str, value: object, says: str
) -> None:
    composed = _composed("generate", f"data={data}")
    composed["data"]["files"][key] = value
    with pytest.raises(ConfigError) as refusal:
        parse(_settings("generate"), composed)
    assert str(refusal.value).startswith(f"data.files.{says}")


@pytest.mark.parametrize(
    ("data", "says"),
    [("public", "background: give"), ("nanoaod", "background: give"), ("own", "folders: give")],
)
def test_files_are_asked_for_by_the_stage_that_reads_them(data: str, says: str) -> None:
    settings = parse(_settings("generate"), _composed("generate", f"data={data}"))
    assert generate.STAGE.check is not None
    with pytest.raises(ConfigError, match=rf"^data\.files\.{says}"):
        generate.STAGE.check(settings, TASK)
    settings = parse(_settings("teacher"), _composed("teacher", f"data={data}"))
    assert teacher.STAGE.check is not None
    with pytest.raises(DataError, match=rf"^data/{data}/standardization"):
        teacher.STAGE.check(settings, TASK)  # it reads what was made


def test_a_choice_that_is_not_named_is_asked_for() -> None:
    composed = _composed("generate", "data=own")
    del composed["data"]["files"]["reader"]
    with pytest.raises(ConfigError, match=r"^data\.files\.reader: missing; give it a value$"):
        parse(_settings("generate"), composed)


class _Inner(BaseModel, extra="forbid"):
    width: int = 1


class _Outer(BaseModel):
    by_name: dict[str, _Inner | None] = {}
    several: list[_Inner] = []
    either: int | _Inner = 0


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"by_name": {"a": {"widht": 1}}}, "by_name.a.widht: no such key; did you mean by_name.a"),
        (
            {"several": [{}, {"wdth": 1}]},
            "several[1].wdth: no such key; did you mean several[1].wid",
        ),
        (
            {"either": {"width": "x"}},
            "either={'width': 'x'}: input should be a valid integer, or eit",
        ),
    ],
)
def test_keys_inside_collections_and_plain_unions(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        parse(_Outer, wrong)
    assert str(refusal.value).startswith(says)
    assert "_Inner" not in str(refusal.value)


def test_a_gate_without_a_bound_is_refused() -> None:
    composed = _composed("promote")
    composed["gates"]["lut"] = {"metric": "firmware/lut_percent"}
    with pytest.raises(ConfigError, match=r"gates\.lut"):
        parse(_settings("promote"), composed)


def test_flatten_keeps_lists_and_empty_sections() -> None:
    nested = {"a": {"b": 1, "c": {"d": [1, 2]}}, "e": {}, "f": None}
    assert flatten(nested) == {"a.b": 1, "a.c.d": [1, 2], "e": {}, "f": None}


def test_parameters_hold_the_defaults_of_keys_that_are_left_out() -> None:
    composed = _composed("synthesize", "~firmware.latency_cutoff_ns", "~firmware.rtl_simulator")
    settings = parse(_settings("synthesize"), composed)
    defaults = {"firmware.latency_cutoff_ns": 3.5, "firmware.rtl_simulator": "auto"}
    assert parameters_of(settings, composed) == {**flatten(composed), **defaults}


@pytest.mark.parametrize("family", ["mpl", 3, None])
def test_a_family_of_students_that_there_is_not(family: object) -> None:
    composed = _composed("student")
    composed["student"]["family"] = family
    with pytest.raises(ConfigError, match=rf"^student\.family={family!r}: .* choose one of mlp"):
        configuration.run("student", composed, {})


def test_a_student_that_names_no_family_is_an_mlp() -> None:
    """As the files of users do, who wrote them before there were families."""
    composed = _composed("student")
    del composed["student"]["family"]
    settings = parse(_settings("student", composed), composed)
    assert parameters_of(settings, composed)["student.family"] == "mlp"


@pytest.mark.parametrize("stage", STAGES)
def test_parameters_of_the_shipped_configuration_are_what_stands_there(stage: str) -> None:
    composed = _composed(stage)
    assert parameters_of(parse(_settings(stage, composed), composed), composed) == flatten(composed)
