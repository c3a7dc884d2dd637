"""conf/executor/ against the typed settings."""

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from l1distill.core.errors import ConfigError
from l1distill.core.settings import Settings
from l1distill.executor.settings import ExecutorSettings
from l1distill.stages.configuration import flatten, parse
from tests.settings import ROOT


class _Settings(Settings):
    executor: ExecutorSettings


CHOICES = sorted(path.stem for path in (ROOT / "conf/executor").glob("*.yaml"))


def _composed(*overrides: str) -> dict[str, object]:
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        plain = OmegaConf.to_container(compose("generate", list(overrides)), resolve=True)
    assert isinstance(plain, dict)
    return {"executor": plain["executor"]}


def test_there_is_a_choice_for_each_kind() -> None:
    assert CHOICES == ["dask", "dask_local", "htcondor", "processes", "slurm"]


@pytest.mark.parametrize("choice", CHOICES)
def test_each_choice_is_whole(choice: str) -> None:
    address = ["executor.address=tcp://head:8786"] if choice == "dask" else []
    composed = _composed(f"executor={choice}", *address)["executor"]
    assert isinstance(composed, dict)
    settings = parse(_Settings, _composed(f"executor={choice}", *address)).executor
    assert settings.kind == choice
    assert flatten(settings.model_dump(mode="json")) == flatten(composed)


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (["executor=processes", "executor.workers=0"], "executor.workers=0: input should be"),
        (["executor=slurm", "executor.jobs=0"], "executor.jobs=0: input should be"),
        (["executor=slurm", "executor.memory=much"], "executor.memory='much': string should"),
        (["executor=slurm", "+executor.disk=1GB"], "executor.disk: no such key"),
        (["executor=htcondor", "executor.disk=1"], "executor.disk=1: input should be"),
        (
            ["executor=htcondor", "executor.directives=[x]"],
            "executor.directives[0]='x': string sho",
        ),
        (["executor=dask"], "executor.address=None: input should be a valid string"),
        (["executor=dask", "executor.address=head"], "executor.address='head': string should"),
    ],
)
def test_what_makes_no_sense_is_named(overrides: list[str], says: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        parse(_Settings, _composed(*overrides))
    assert str(refusal.value).startswith(says)


def test_a_key_that_a_file_leaves_out_has_its_default() -> None:
    executor = parse(_Settings, _composed("executor=slurm", "~executor.walltime")).executor
    assert executor.walltime == "04:00:00"
