"""The generated reference is complete: every key, metric, command, layer and package is there."""

import re
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from docs.generate import (
    cli,
    composition,
    configuration,
    gates,
    layers,
    metrics,
    packages,
    pictures,
    results,
    simulation,
)
from l1distill.cli import COMMANDS, REGISTRY, STAGES
from l1distill.firmware.results.report import REQUIRED
from l1distill.stages.configuration import flatten
from tests.docs.blocks import pages
from tests.settings import ROOT


@pytest.fixture(scope="module")
def configuration_page() -> str:
    return configuration.page()


@pytest.mark.parametrize("stage", STAGES)
def test_every_key_of_every_stage_is_described(stage: str, configuration_page: str) -> None:
    keys = set(flatten(composition.compose(stage).configuration))
    described = set(re.findall(r"^\| `([\w.]+)` \|", configuration_page, flags=re.MULTILINE))
    apart = ("gates.", "shape", "ports", "data.files.signals")
    # sections that are null by default
    keys = {key for key in keys if not key.startswith(apart) and key != "executor"}
    assert keys - described == set()


def test_every_choice_is_listed(configuration_page: str) -> None:
    for group, paths in composition.groups().items():
        for path in paths:
            assert f"`{group}={path.stem}`" in configuration_page


def test_defaults_are_those_of_the_shipped_configuration(configuration_page: str) -> None:
    """Read from the files here, not composed."""
    for file, prefix in (("student/mlp", "student"), ("firmware/default", "firmware")):
        content = OmegaConf.to_container(OmegaConf.load(ROOT / f"conf/{file}.yaml"))
        assert isinstance(content, dict)
        for key, value in flatten({k: v for k, v in content.items() if k != "defaults"}).items():
            row = rf"^\| `{prefix}\.{re.escape(key)}` \| .*? \| `(.*?)` \|"
            (shown,) = re.findall(row, configuration_page, flags=re.MULTILINE)
            assert shown == configuration.show(value)


def test_a_key_without_a_description_is_refused() -> None:
    from l1distill.core.settings import Settings

    class Silent(Settings):
        key: int = 1

    with pytest.raises(ValueError, match=r"Silent\.key: has no description"):
        configuration.meaning(Silent, "key")


def test_bounds_and_choices_are_in_words(configuration_page: str) -> None:
    assert "integer ≥ 2, ≤ 16" in configuration_page
    assert "`mse` or `kl` or `rz`" in configuration_page
    assert not re.search(r"typing\.|<class|annotation=", configuration_page)


def test_every_metric_of_the_recorded_run_has_one_description() -> None:
    recorded = results.read(results.QUICK)["metrics"]
    names = {name for stage in recorded.values() for name in stage}
    assert len(names) > 80
    wrong = {name: found for name in names if len(found := metrics.patterns_of(name)) != 1}
    assert wrong == {}


@pytest.mark.parametrize("name", REQUIRED)
def test_every_entry_of_a_synthesis_report_is_described(name: str) -> None:
    assert len(metrics.patterns_of(name)) == 1


def test_an_unknown_metric_has_no_description() -> None:
    for name in ("area", "firmware/luts", "tpr_fpr1e-6/a_4l", "check/anything"):
        assert metrics.patterns_of(name) == []


def test_every_gate_is_on_the_page_of_gates() -> None:
    page = gates.page()
    for name, gate in composition.compose("promote").configuration["gates"].items():
        instead = f" or `{gate['instead']}`" if "instead" in gate else ""
        assert f"| `{name}` | `{gate['metric']}`{instead} |" in page
        assert len(metrics.patterns_of(gate["metric"])) == 1


def test_the_command_line_is_the_help_of_all_commands() -> None:
    page = cli.page()
    for name in (*STAGES, *REGISTRY, *COMMANDS):
        assert f"## l1distill {name}\n" in page
    assert "student.weight_bits" in page


def test_every_package_is_in_a_layer() -> None:
    shown = {name for row in packages.layers() for name in row}
    there = {path.parent.name for path in packages.SOURCE.glob("*/__init__.py")}
    assert there <= shown
    assert packages.layers()[-1] == ["core"]
    picture = packages.picture()
    assert all(f">{name}</text>" in picture for name in shown)


def test_the_picture_shows_the_pipeline_of_dvc() -> None:
    stages = OmegaConf.to_container(OmegaConf.load(ROOT / "dvc.yaml"))
    assert isinstance(stages, dict)
    outs = {
        str(name): next(iter(stage["outs"][0]))
        for name, stage in stages["stages"].items()
        if name in STAGES
    }
    drawn = {box.name: box.folder for box in (*pictures.STAGES, pictures.LAST)}
    assert drawn == outs
    assert list(drawn) == list(outs)


def test_every_layer_that_is_read_is_on_the_page_of_layers() -> None:
    page = layers.page()
    for name in ("QDense", "QConv2D", "MaxPooling2D", "Concatenate", "Flatten"):
        assert f"`{name}`" in page
    for name in ("RTL", "hls4ml project"):
        assert name in page


def test_the_page_of_the_simulation_has_the_data_of_the_generator() -> None:
    page = simulation.page()
    assert "gluon splitting" in page
    assert "| no pileup, pileup=0 |" in page


WORDS = (
    "event", "trigger", "teacher", "student", "distillation", "anomaly score", "QAT", "PTQ", "II",
    "reuse factor", "working point", "FPR", "TPR", "pileup", "PUPPI", "value range", "ROC",
)  # fmt: skip


@pytest.mark.parametrize("word", WORDS)
def test_the_glossary_has_the_words_of_the_field(word: str) -> None:
    text = (ROOT / "docs/glossary.md").read_text(encoding="utf-8")
    terms = [line for line in text.splitlines() if line and not line.startswith((" ", "`", "#"))]
    assert any(word.lower() in term.lower() for term in terms)


def test_pages_are_plain_text_of_the_project() -> None:
    """No page names a machine's own paths."""
    for path in pages():
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"/(root|home|work|tmp)/", text), path


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs/index.md").read_text(encoding="utf-8")
    for path in pages():
        if path.is_relative_to(ROOT / "docs") and path.name != "index.md":
            name = path.relative_to(ROOT / "docs").with_suffix("").as_posix()
            assert f"\n{name}\n" in index, name


def test_the_citation_names_the_papers() -> None:
    citation = OmegaConf.to_container(OmegaConf.load(Path(ROOT / "CITATION.cff")))
    assert isinstance(citation, dict)
    assert len(citation["references"]) == 6
    assert citation["authors"] == [{"name": "l1distill maintainers"}]
