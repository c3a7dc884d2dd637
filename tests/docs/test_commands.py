"""Every command of the README and the documentation is composed, parsed or looked up."""

import ast
import re
from pathlib import Path

import pytest

from docs.generate import composition, metrics
from l1distill.cli import STAGES
from l1distill.stages.composition import compose_stage, to_plain
from l1distill.stages.configuration import parse, settings_class
from tests.docs import commands
from tests.docs.blocks import (
    LANGUAGES,
    Block,
    all_blocks,
    blocks_of,
    inline_code,
    pages,
    recorded_commands,
)
from tests.settings import ROOT

SHELL = [block for block in all_blocks() if block.language == "sh"]
EXECUTED_BY = re.compile(r"run by (?P<test>tests/\S+\.py)")


def _test_name(block: Block) -> str:
    return str(block)


@pytest.mark.parametrize("block", SHELL, ids=_test_name)
def test_every_command_is_right(block: Block) -> None:
    lines = list(commands.commands(block.content))
    assert lines, "an empty block"
    for words in lines:
        commands.check(words)


def test_there_is_no_block_in_another_language() -> None:
    strange = {str(b): b.language for b in all_blocks() if b.language not in {*LANGUAGES, "cell"}}
    assert strange == {}


def test_every_mark_is_one_that_a_test_acts_on() -> None:
    for block in all_blocks():
        named = EXECUTED_BY.fullmatch(block.mark)
        if named is not None:
            text = (ROOT / named["test"]).read_text(encoding="utf-8")
            assert block.path.name in text, f"{block}: {named['test']} does not read this page"
        else:
            assert block.mark in {"", "pipeline"}, f"{block}: unknown mark {block.mark}"


def test_python_blocks_are_code() -> None:
    for block in all_blocks():
        if block.language == "python":
            assert block.mark == "pipeline", f"{block}: no test runs it"
            ast.parse(block.content)


def test_the_examples_of_configuration_files_are_choices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    examples = {b.path.name: b.content for b in all_blocks() if b.language == "yaml"}
    files = {
        "pipeline.md": "student/wide",
        "hand_over_firmware.md": "ports/mine",
        "monitor.md": "data/week",
    }
    assert examples.keys() == files.keys()
    for page, file in files.items():
        path = tmp_path / "conf" / f"{file}.yaml"
        path.parent.mkdir(parents=True)
        path.write_text(examples[page])
    monkeypatch.chdir(tmp_path)
    assert compose_stage("student", ["student=wide"]).config.student.layers == [64, 32]
    ports = compose_stage("synthesize", ["ports=mine"]).config.ports
    assert ports.fraction_bits == 5
    assert [port.name for port in ports.objects] == ["jet"]
    for week in ("2026-W47", "2026-W48"):  # another week, another composition: DVC runs all again
        monkeypatch.setenv("WEEK", week)
        for stage in ("generate", "monitor"):
            config = to_plain(compose_stage(stage, ["data=week"]).config)
            settings = parse(settings_class(stage, config), config)
            assert settings.data.files.background == [f"/data/{week}/*.h5"]


def test_the_commands_of_recorded_results_are_right() -> None:
    records = recorded_commands()
    assert len(records) >= 6
    for path, lines in records.items():
        for line in lines:
            for words in commands.commands(line):
                commands.check(words)
        assert lines, path


@pytest.mark.parametrize("path", pages(), ids=lambda path: path.name)
def test_commands_in_the_text_are_right(path: Path) -> None:
    for span in inline_code(path):
        program = span.split()[0] if span.split() else ""
        if program in {"make", "l1distill", "dvc", "mlflow", "python"} and "..." not in span:
            if "<stage>" in span or span in {"make", "l1distill", "dvc", "mlflow", "python"}:
                continue
            for words in commands.commands(span):
                commands.check(words)


PATH = re.compile(r"[\w.-]+(?:/[\w.{}-]*)+")
ROOTS = {path.name for path in ROOT.iterdir()} | {"report", "promotion", "multirun", "outputs"}


@pytest.mark.parametrize("path", pages(), ids=lambda path: path.name)
def test_every_path_in_the_text_is_there(path: Path) -> None:
    for span in inline_code(path):
        if not PATH.fullmatch(span) or span.split("/")[0] not in ROOTS:
            continue
        if not metrics.patterns_of(span):
            assert (ROOT / span).exists() or commands.is_output(span), f"{span}: is not there"


@pytest.mark.parametrize("path", pages(), ids=lambda path: path.name)
def test_every_link_between_pages_leads_somewhere(path: Path) -> None:
    """Sphinx checks those of docs/; this one those of the README too, and on GitHub."""
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?:|#", target):
            continue
        file, _, anchor = target.partition("#")
        linked = (path.parent / file).resolve()
        assert linked.is_file() or "_build" in target, f"{target}: no such file"
        if anchor:
            titles = re.findall(r"^#+ (.+)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
            generated = "_generated" in linked.read_text(encoding="utf-8")
            anchors = {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}
            assert anchor in anchors or generated, f"{target}: no such section"


def test_a_typo_does_not_survive() -> None:
    """The checks of this file find what they are for."""
    for wrong in (
        "make reproduce",
        "l1distill studnet",
        "l1distill student student.weight_bit=4",
        "l1distill student student.weight_bits=lots",
        "l1distill student -m student.weight_bits=4,lots",
        "l1distill teacher experiment=govorkova_teacher",
        "l1distill verify firmware/studnet",
        "mlflow run . -e studnet",
        "mlflow run . -e student -P overrides=student.layer=[4]",
        "mlflow serve --port 5000",
        "dvc metric show",
        "git add .dvc/conf",
        "python benchmarks/costs.py",
        "rm data/anomalies/background.h5",
        "export MLFLOW_TRACKING_URL=x",
        "unknown --program",
    ):
        (words,) = commands.commands(wrong)
        with pytest.raises((Exception, SystemExit)):
            commands.check(words)


def test_every_value_of_a_sweep_is_composed() -> None:
    assert commands.compose_stage("student", ["-m", "student.weight_bits=4,6,8"]) == 3
    jobs = list(composition.jobs("quantize", ["experiment=govorkova_scan"]))
    methods = {job.configuration["quantization"]["method"] for job in jobs}
    bits = {job.configuration["quantization"]["bits"] for job in jobs}
    assert (methods, bits) == ({"ptq", "qat"}, {2, 4, 6, 8, 10, 12, 14, 16})


def test_every_stage_is_named_on_a_page() -> None:
    words = {span for path in pages() for span in inline_code(path)}
    for block in SHELL:
        words |= {line[1] for line in commands.commands(block.content) if len(line) > 1}
    assert set(STAGES) <= words


def test_commands_of_notebooks_are_right() -> None:
    cells = [b for path in pages() for b in blocks_of(path) if b.language == "cell"]
    shell = [cell.content for cell in cells if "%%bash" in cell.content]
    assert len(shell) >= 8
    for content in shell:
        for words in commands.commands(content.split("%%bash", maxsplit=1)[1].split("\n", 1)[1]):
            if words[0] == "l1distill" and words[1] == "verify":
                continue  # of what the notebook itself made
            commands.check(words)
