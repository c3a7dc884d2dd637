import itertools
import re
from pathlib import Path

import pytest

from l1distill.cli import STAGES
from l1distill.stages.help_page import experiments_of, print_help
from l1distill.stages.keys import Key, sections_of
from tests.settings import ROOT


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "500")


def _page(capsys: pytest.CaptureFixture[str], stage: str, *overrides: str) -> str:
    print_help(stage, STAGES[stage], overrides)
    return capsys.readouterr().out


def _row(page: str, key: str) -> list[str]:
    (line,) = [line for line in page.splitlines() if line.split()[:1] == [key]]
    return re.split(r" {2,}", line.strip())


def _experiments(page: str) -> list[str]:
    """Return the experiments of a page, which may take several lines."""
    lines = page.splitlines()
    first = next(n for n, line in enumerate(lines) if line.split()[:1] == ["experiment"])
    rest = itertools.takewhile(lambda line: line.startswith(" " * 8), lines[first + 1 :])
    return [*lines[first].split()[1:], *(name for line in rest for name in line.split())]


def test_keys_have_value_unit_and_meaning(capsys: pytest.CaptureFixture[str]) -> None:
    page = _page(capsys, "generate", "executor=slurm", "executor.wait_s=60")
    assert _row(page, "executor.wait_s") == [
        "executor.wait_s",
        "60",
        "s",
        "How long to go on without any worker before giving up; jobs may wait in the queue",
    ]
    assert _row(page, "executor.queue")[:2] == ["executor.queue", "null"]
    assert "executor: Slurm jobs\n" in page


OF_STUDENTS = [
    *("autopruner_distilled", "autopruner_features"),
    *("autopruner_nodes", "autopruner_stability"),
    "distill_classification",
    *(
        f"distill_{knowledge}_{scheme}"
        for knowledge in ("feature", "relation", "response")
        for scheme in ("co_training", "offline", "self")
    ),
    *("front_1000", "front_2000", "front_500", "front_control", "front_wide"),
    "narrow_student",
    *("pileup_8bit", "pileup_float"),
    *(f"reduce_autopruner_{budget}" for budget in ("12_20", "16_20", "16_20_75", "24_24")),
    *("reduce_from_scratch_12", "reduce_from_scratch_16"),
    *("reduce_jets_autopruner_19_12", "reduce_jets_pruning_75"),
    *("reduce_pileup_float", "reduce_pileup_published"),
    *(f"reduce_pruning_{share}" for share in (50, 75, 85)),
]


def test_choices_and_bounds_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    page = _page(capsys, "student", "student=mlp")
    assert "2 to 16" in _row(page, "student.weight_bits")[-1]
    assert "mse, huber, mae" in _row(page, "distillation.loss")[-1]
    assert _row(page, "student.layers")[1] == "[32, 16]"


def test_groups_are_those_of_the_stage_with_what_is_chosen(
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = _page(capsys, "student", "compression=none", "profile=quick")
    others = ["from_scratch", "hard_concrete", "jets", "magnitude"]
    assert _row(page, "compression") == [
        *("compression", "anomaly", "autopruner", *others),
        *("[none]", "per_layer", "permutation", "pileup", "pruning", "random", "sigmoid_gates"),
        "straight_through",
    ]
    families = ["cnn", "hgq", "jets", "mlp", "pileup", "trees"]
    assert _row(page, "student") == ["student", "[anomaly]", *families]
    assert _row(page, "profile") == ["profile", "full", "none", "[quick]", "standard", "tiny"]
    assert "profile@data" not in page
    assert _row(page, "encoding@student.inputs")[1:] == ["[anomaly]", "jets", "pileup"]
    assert _experiments(page) == OF_STUDENTS
    assert not re.search(r"^ +(gates|firmware|published|teacher) ", page, flags=re.MULTILINE)


@pytest.mark.parametrize(
    ("stage", "experiments"),
    [
        ("generate", []),
        ("teacher", ["govorkova_beta", "govorkova_teachers", "pileup_teachers"]),
        ("quantize", ["govorkova_scan"]),
        ("student", OF_STUDENTS),
        ("synthesize", ["govorkova_v7_690t", "published_firmware"]),
    ],
)
def test_experiments_are_those_that_name_the_stage(
    capsys: pytest.CaptureFixture[str], stage: str, experiments: list[str]
) -> None:
    """Each file of conf/experiment says on its first lines which stage it is for."""
    page = _page(capsys, stage)
    listed = _experiments(page) if "\n  experiment" in page else []
    assert listed == experiments
    for path in (ROOT / "conf/experiment").glob("*.yaml"):
        meant = f"l1distill {stage} experiment={path.stem}\n" in path.read_text()
        assert meant == (path.stem in listed)


def test_an_experiment_of_the_user_is_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "conf/experiment"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text("# @package _global_\nseed: 3\n")
    (folder / "other.yaml").write_text("defaults: [{override /gates: strict}, _self_]\nseed: 3\n")
    known = {"compression", "seed", "student"}
    assert experiments_of(["mine", "narrow_student", "other"], known) == ["mine", "narrow_student"]


@pytest.mark.parametrize("stage", STAGES)
def test_every_key_of_the_composition_is_there(
    capsys: pytest.CaptureFixture[str], stage: str
) -> None:
    from l1distill.stages.composition import compose_stage, to_plain
    from l1distill.stages.configuration import flatten

    composed = to_plain(compose_stage(stage).config)
    gates = composed.pop("gates", {})
    page = _page(capsys, stage)
    shown = {line.split()[0] for line in page.splitlines() if line.startswith("  ")}
    assert set(flatten(composed)) | {f"gates.{gate}" for gate in gates} <= shown


def test_a_value_that_cannot_be_resolved_is_shown_as_it_is_written(
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = _page(capsys, "student", "seed=${oc.env:NONSENSE}")
    assert _row(page, "seed")[1] == "${oc.env:NONSENSE}"


def test_lines_keep_to_the_width(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    page = _page(capsys, "student")
    assert max(map(len, page.splitlines())) <= 80
    assert all(line == line.rstrip() for line in page.splitlines())


def test_freely_named_entries_are_rows() -> None:
    from l1distill.stages.promote import Settings

    gates = {"lut": {"metric": "firmware/lut_percent", "max": 5}}
    (section,) = sections_of(Settings, {"gates": gates})
    assert section.keys == [
        Key(name="gates.lut", value="", meaning="metric: firmware/lut_percent, max: 5")
    ]
