"""How the command line ends: status, traceback or line, interrupts; and what it does not import."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from l1distill.cli import COMMANDS, STAGES
from l1distill.core.errors import ConfigError, DataError, ResourceError, ToolError
from l1distill.stages import configuration
from tests.cli.conftest import CommandLine


def python(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run Python in a folder, as a process of its own."""
    environment = {key: value for key, value in os.environ.items() if "MLFLOW" not in key}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def _raising(error: BaseException) -> Callable[..., None]:
    def run(stage: str, composed: Mapping[str, Any], tags: Mapping[str, str]) -> None:
        try:
            raise OSError("the first cause")
        except OSError as cause:
            raise error from cause

    return run


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ConfigError("seed: no"), 2),
        (DataError("file: no"), 2),
        (ToolError("yosys: no"), 1),
        (ResourceError("disk: no"), 1),
    ],
)
def test_the_exit_status_says_whose_error_it_is(
    l1distill: CommandLine, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    monkeypatch.setattr(configuration, "run", _raising(error))
    done = l1distill("student")
    assert (done.status, done.err) == (status, f"l1distill: {error}\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--debug", "student"],
        ["student", "--debug"],
        ["student", "seed=1", "--debug", "seed=2"],
        ["student", "--overrides", "seed=1 --debug"],
    ],
)
def test_debug_shows_the_chain_before_the_line(
    l1distill: CommandLine, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.setattr(configuration, "run", _raising(ToolError("yosys: no")))
    done = l1distill(*arguments)
    assert done.status == 1
    assert "OSError: the first cause" in done.err
    assert "direct cause of the following exception" in done.err
    assert done.err.splitlines()[-1] == "l1distill: yosys: no"


def test_debug_may_come_from_the_environment(
    l1distill: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(configuration, "run", _raising(ToolError("yosys: no")))
    monkeypatch.setenv("L1DISTILL_DEBUG", "1")
    assert "OSError: the first cause" in l1distill("student").err
    assert "Traceback" in l1distill("student", "student.layer=1").err
    monkeypatch.setenv("L1DISTILL_DEBUG", "0")
    assert l1distill("student").err == "l1distill: yosys: no\n"


def test_a_defect_of_ours_keeps_its_traceback(
    l1distill: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(configuration, "run", _raising(IndexError("off by one")))
    done = l1distill("student")
    assert done.status == 1
    assert done.err.startswith("Traceback")
    assert "in run" in done.err
    assert done.err.endswith("IndexError: off by one\n")


@pytest.mark.parametrize("flag", [[], ["-m"]])
@pytest.mark.parametrize(
    ("error", "status", "says"),
    [
        (KeyboardInterrupt(), 130, "interrupted; earlier outputs are as they were"),
        (SystemExit(143), 143, "terminated; earlier outputs are as they were"),
    ],
)
def test_an_interrupt_ends_also_a_sweep(
    l1distill: CommandLine,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    status: int,
    says: str,
    flag: list[str],
) -> None:
    monkeypatch.setattr(configuration, "run", _raising(error))
    done = l1distill("student", "seed=1", *flag)
    assert done.status == status
    assert done.err == f"l1distill: {says}\n"


def test_in_a_sweep_each_job_is_refused_by_itself_and_the_worst_status_is_left(
    l1distill: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    errors = {2: ToolError("yosys: no"), 3: DataError("file: no"), 4: IndexError("off by one")}
    seen = []

    def run(stage: str, composed: Mapping[str, Any], tags: Mapping[str, str]) -> None:
        seen.append((composed["seed"], composed["output"]))
        if composed["seed"] in errors:
            raise errors[composed["seed"]]

    monkeypatch.setattr(configuration, "run", run)
    done = l1distill("student", "-m", "seed=1,2,3,4,5")
    # named after what is swept, whenever that is: started again, a killed sweep goes on
    sweep = tmp_path / "multirun/student/seed=1,2,3,4,5"
    folders = [str(sweep / str(job) / "student") for job in range(5)]
    assert seen == list(zip(range(1, 6), folders, strict=True))
    assert done.status == 2
    lines = [line for line in done.err.splitlines() if line.startswith("l1distill: ")]
    assert lines == [
        "l1distill: job 1 (seed=2): yosys: no",
        "l1distill: job 2 (seed=3): file: no",
        "l1distill: job 3 (seed=4): IndexError: off by one",
        "l1distill: 3 of 5 jobs failed",
    ]
    assert done.err.count("Traceback") == 1


def test_a_sweep_whose_jobs_are_all_refused_leaves_no_run(tmp_path: Path) -> None:
    code = (
        "import sys; from l1distill.cli import main\n"
        "status = main(sys.argv[1:])\n"
        "assert 'mlflow' not in sys.modules\n"
        "sys.exit(status)"
    )
    words = ("student.weight_bits=98,99", "student.layers=[8]")  # the latter is that of all
    done = python(tmp_path, "-c", code, "student", "-m", *words)
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert lines[0].startswith("l1distill: job 0 (student.weight_bits=98): student.weight_bits=98:")
    assert lines[1].startswith("l1distill: job 1 (student.weight_bits=99): student.weight_bits=99:")
    assert lines[2:] == ["l1distill: 2 of 2 jobs failed"]
    assert not list(tmp_path.glob("mlflow.db*"))


@pytest.mark.parametrize("arguments", [["--help"], ["student", "--help"]])
def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path, arguments: list[str]) -> None:
    """As in ``l1distill student --help | head``."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stdout:
        done = subprocess.run(
            [sys.executable, "-m", "l1distill", *arguments],
            cwd=tmp_path, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_an_interrupt_after_the_last_line_changes_nothing(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from l1distill.cli import main\n"
        "sys.argv = ['l1distill', '--version']\n"
        "status = main()\n"
        "os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.exit(status)"
    )
    done = python(tmp_path, "-c", code)
    assert (done.returncode, done.stderr) == (0, "")


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    heavy = ("tensorflow", "mlflow", "hls4ml", "qkeras", "alkaid", "pythia8mc", "matplotlib")
    code = (
        "import sys; from l1distill.cli import main\n"
        f"for words in [[], *([name] for name in {[*STAGES, *COMMANDS]!r})]:\n"
        "    try: status = main([*words, '--help'])\n"
        "    except SystemExit as leaving: status = leaving.code\n"
        "    assert status == 0, words\n"
        f"    loaded = [name for name in {heavy!r} if name in sys.modules]\n"
        "    assert not loaded, (words, loaded)"
    )
    done = python(tmp_path, "-c", code)
    assert done.returncode == 0, done.stderr
    usages = [line for line in done.stdout.splitlines() if line.startswith("usage: l1distill")]
    assert len(usages) == 1 + len(STAGES) + len(COMMANDS)


@pytest.mark.parametrize(
    "arguments",
    [
        ["teacher"],
        ["student", "student.weight_bits=99"],
        ["generate", "data=public", "data.files.background=nope.h5"],
        ["synthesize", "model=nope.h5", "output=out"],
        ["quantize", "teacher_folder=nope"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_refused_inputs_import_no_mlflow_and_leave_no_run(
    l1distill: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    for heavy in ("mlflow", "tensorflow"):
        for name in [name for name in sys.modules if name.split(".")[0] == heavy]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, heavy, None)  # whoever imports it now fails
    done = l1distill(*arguments)
    assert done.status == 2, done.err
    assert len(done.err.splitlines()) == 1
    assert not list(tmp_path.glob("mlflow.db*"))
