"""The shipped configuration and that of the user's working directory."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.errors import MissingConfigException

from l1distill.stages.composition import compose_stage, conf_folders, hydra_initialized, to_plain
from tests.settings import ROOT


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's ``conf/``, in the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf").mkdir()
    return tmp_path / "conf"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_without_a_conf_folder_the_shipped_one_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert conf_folders() == [ROOT / "conf"]
    assert compose_stage("student", ["student=mlp"]).config.student.layers == [32, 16]


def test_a_conf_folder_adds_choices(own: Path) -> None:
    _write(own / "student/wide.yaml", "defaults: [mlp, _self_]\nlayers: [64, 32]\n")
    with hydra_initialized() as loader:
        options = loader.get_group_options("student")
        assert options == ["anomaly", "cnn", "hgq", "jets", "mlp", "pileup", "trees", "wide"]
    wide = compose_stage("student", ["student=wide", "student.weight_bits=5"])
    assert wide.choices["student"] == "wide"
    shipped = to_plain(compose_stage("student", ["student=mlp"]).config)["student"]
    changed = {"layers": [64, 32], "weight_bits": 5}
    assert to_plain(wide.config)["student"] == {**shipped, **changed}


def test_a_conf_folder_adds_experiments_and_groups(own: Path) -> None:
    _write(own / "experiment/mine.yaml", "# @package _global_\nstudent: {layers: [8]}\n")
    _write(own / "weather/fine.yaml", "wind: 3\n")
    mine = compose_stage("student", ["experiment=mine", "+weather=fine"]).config
    assert mine.student.layers == [8]
    assert mine.weather.wind == 3


def test_a_file_of_the_same_name_takes_precedence(own: Path) -> None:
    _write(own / "compression/pruning.yaml", "{sparsity: 0.1, begin_epoch: 1, end_epoch: 2}\n")
    pruned = compose_stage("student", ["compression=pruning"])
    assert pruned.config.compression.sparsity == 0.1
    assert compose_stage("teacher").config.compression.sparsity == 0.0


def test_another_program_is_not_given_the_folder(own: Path, tmp_path: Path) -> None:
    """Hydra's plugins are those of the whole process."""
    compose_stage("student")
    _write(own / "theirs.yaml", "ours: true\n")
    _write(tmp_path / "elsewhere/main.yaml", "ours: false\n")
    with initialize_config_dir(str(tmp_path / "elsewhere"), version_base="1.3"):
        assert not compose("main").ours
        with pytest.raises(MissingConfigException):
            compose("theirs")


def test_composing_leaves_no_trace_in_hydra() -> None:
    before = HydraConfig.initialized()  # a stage may have run in this process
    compose_stage("student")
    assert HydraConfig.initialized() == before
