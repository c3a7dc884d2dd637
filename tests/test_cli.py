import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from l1distill.cli import COMMANDS, STAGES, main
from l1distill.core.errors import ConfigError, DataError, ResourceError, ToolError
from l1distill.stages import configuration

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it printed."""

    status: int
    out: str
    err: str


CommandLine = Callable[..., Done]


@pytest.fixture
def l1distill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[CommandLine]:
    """The command line in this process, in an empty working directory.

    What Hydra and the command line change for good is put back: environment, logging, signals.
    """
    monkeypatch.chdir(tmp_path)
    environment = dict(os.environ)
    for name in [name for name in environment if name.startswith(("MLFLOW", "L1DISTILL"))]:
        del os.environ[name]
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    on_sigterm = signal.getsignal(signal.SIGTERM)

    def run(*arguments: str) -> Done:
        capsys.readouterr()
        status = main(arguments)
        printed = capsys.readouterr()
        return Done(status, printed.out, printed.err)

    yield run
    signal.signal(signal.SIGTERM, on_sigterm)
    root.handlers[:], root.level = handlers, level
    os.environ.clear()
    os.environ.update(environment)


def python(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run Python in a folder, as a process of its own."""
    environment = {key: value for key, value in os.environ.items() if "MLFLOW" not in key}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["studnet"], "studnet: no such stage; did you mean student?"),
        (["verfy"], "verfy: no such stage; did you mean verify?"),
        (["verify"], "required: BUNDLE; see l1distill verify --help"),
        (["verify", "nowhere"], "nowhere: no such file; run the synthesis that writes it"),
        (["verify", "nowhere", "--time-limit", "0"], "--time-limit 0: must be more than 0"),
        (["verify", "nowhere", "--time-limit", "long"], "invalid float value: 'long'"),
        (["student", "student.layer=[8]"], "did you mean student.layers?"),
        (["student", "+student.weight_bit=8"], "did you mean student.weight_bits?"),
        (["student", "student=mpl"], "student=mpl: no such choice; did you mean mlp?"),
        (["student", "student=mpl"], "there are cnn, mlp, trees"),
        (
            ["student", "student=trees", "student.training.epochs=2"],
            "student.training.epochs: student=trees has no such key; student=cnn and student=mlp",
        ),
        (["pipeline", "executor.workers=2"], "executor=null has no such key; executor=dask_local"),
        (["student", "studnet=mlp"], "did you mean student?"),
        (["student", "student.weight_bits=six"], "student.weight_bits='six': input should be"),
        (["student", "student.weight_bits=99"], "student.weight_bits=99: input should be less"),
        (["student", "student.layers=[]"], "student.layers"),
        (["student", "experiment=narow_student"], "did you mean narrow_student?"),
        (["student", "student.weight_bits="], "student.weight_bits"),
        (["student", "--nonsense"], "--nonsense: no such flag"),
        (["student", "--cfg"], "expected one argument; see l1distill student --help"),
        (["student", "--cfg", "jbo"], "invalid choice: 'jbo' (choose from 'job', 'hydra', 'all')"),
        (["student", "--overrides"], "--overrides: needs a value"),
        (["student", "--overrides", "'x"], "--overrides 'x: No closing quotation"),
        (
            ["teacher"],
            "data.folder=data/anomaly: no such folder; make it with l1distill generate "
            "output=data/anomaly, or name another",
        ),
        (["teacher", "data.folder=nowhere"], "data.folder=nowhere: no such folder; make it with"),
        (
            ["teacher", "compression=autopruner"],
            "compression.method=autopruner: for students alone; a teacher takes "
            "compression=pruning or compression=none",
        ),
        (["student", "end_epoch=3"], "end_epoch: no such key; did you mean compression.end_epoch?"),
        (
            ["student", "compression=autopruner", "compression.nodes=half"],
            "compression.nodes='half': give a whole number of nodes, at least 1, or a share",
        ),
        (
            ["student", "student=trees", "+student.training.epochs=2"],
            "student.training.epochs: student=trees has no such key; student=cnn and student=mlp",
        ),
        (["teacher", "student=mlp"], "student: no group of l1distill teacher; its groups are comp"),
        (["student", "~nonsense"], "nonsense: no such key"),
        (["student", "hydra.nonsense=1"], "hydra.nonsense: no such key"),
        (["student", "seed.x=1"], "seed.x: no such key; did you mean seed?"),
        (["student", "student.layers.x=1"], "invalid literal for int"),
        (["student", "seed=${oc.env:NONSENSE}"], "Environment variable 'NONSENSE' not found"),
        (["student", "--resolve"], "--resolve"),
        (["generate", "data=nanoaod", "data.files.metr=1"], "did you mean data.files.met?"),
        (["student", "experiment=govorkova_v7_690t"], "In 'experiment/govorkova_v7_690t': Could"),
        (["generate", "data=public", "data.files.background=nope.h5"], "nope.h5: no such file"),
        (["generate", "data=own", "data.files.folders=[nope]"], "nope"),
        (["generate", "output=/proc/foo"], "/proc/foo: cannot be written (No such file or direct"),
        (["synthesize", "model=nope.h5", "output=out"], "model=nope.h5: no such file"),
        (["synthesize", "model=nope.h5"], "model= needs an output= of its own"),
        (["--shell-completion", "install=tcsh"], "take install=bash or uninstall=bash"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    l1distill: CommandLine, tmp_path: Path, arguments: list[str], says: str
) -> None:
    done = l1distill(*arguments)
    assert done.status == 2, done.err
    assert done.out == ""
    (line,) = done.err.splitlines()
    assert line.startswith("l1distill: ")
    assert says in line
    assert not (tmp_path / "models").exists()
    assert not list(tmp_path.glob("mlflow.db*"))


@pytest.mark.parametrize("said", ["--config-dir", "hydra.searchpath"])
def test_hints_know_the_files_of_a_search_path(
    l1distill: CommandLine, tmp_path: Path, said: str
) -> None:
    mine = tmp_path / "confs/student/mine.yaml"
    mine.parent.mkdir(parents=True)
    mine.write_text("family: mlp\nlayers: [4]\nfrequency: 1\n")
    where = ["--config-dir", "confs"]
    if said == "hydra.searchpath":
        where = [f"hydra.searchpath=[file://{tmp_path}/confs]"]
    done = l1distill("student", *where, "student=mine", "student.freqency=2")
    assert done.err.endswith("no such key; did you mean student.frequency?\n")
    done = l1distill("student", *where, "student.frequency=2")
    assert done.err.endswith("student=mlp has no such key; student=mine has it\n")


@pytest.mark.parametrize(
    ("words", "named", "advice", "value"),
    [
        (["output=run(1)"], "output=run(1)", "'output=\"run(1)\"'", "run(1)"),
        (["output=a[1]"], "output=a[1]", "'output=\"a[1]\"'", "a[1]"),
        (["output=lr=3"], "output=lr=3", "'output=\"lr=3\"'", "lr=3"),
        (["output=Ergebnis_ä"], "output=Ergebnis_ä", "'output=\"Ergebnis_ä\"'", "Ergebnis_ä"),
        (["output=my", "folder"], "folder", "'output=\"my folder\"'", "my folder"),
        (["output=a,b"], "output=a,b", "'output=\"a,b\"'", "a,b"),
        (['output=a"(b'], 'output=a"(b', '\'output="a\\"(b"\'', 'a"(b'),
    ],
)
def test_a_value_that_hydra_cannot_read_is_named_with_its_quoted_form(
    l1distill: CommandLine, words: list[str], named: str, advice: str, value: str
) -> None:
    done = l1distill("teacher", *words)
    assert done.status == 2
    (line,) = done.err.splitlines()
    assert line.startswith(f"l1distill: {named}: ")
    assert advice in line
    # what the line says to write, as the shell hands it on, is taken as the value
    taken = l1distill("teacher", "--overrides", advice, "--cfg", "job", "--package", "output")
    assert taken.out.splitlines()[-1].strip("'\"") == value.replace('"', '"')


def test_a_list_is_quoted_item_by_item(l1distill: CommandLine) -> None:
    words = ["data=public", "data.files.background=[plain.h5,x(1).h5]"]
    (line,) = l1distill("generate", *words).err.splitlines()
    advice = "'data.files.background=[plain.h5,\"x(1).h5\"]'"
    assert line.endswith(advice)
    where = ["--cfg", "job", "--package", "data.files.background"]
    taken = l1distill("generate", "data=public", "--overrides", advice, *where)
    assert taken.out.splitlines()[-2:] == ["- plain.h5", "- x(1).h5"]


def test_what_is_no_override_at_all_is_named(l1distill: CommandLine) -> None:
    (line,) = l1distill("teacher", "my key=3").err.splitlines()
    assert line == "l1distill: my key=3: no key=value; see l1distill -h"
    (line,) = l1distill("teacher", "folder").err.splitlines()
    assert line == "l1distill: folder: no key=value"


def test_spaces_need_no_more_than_the_shells_quotes(l1distill: CommandLine) -> None:
    done = l1distill("teacher", "output=my folder", "--cfg", "job", "--package", "output")
    assert done.out.splitlines()[-1] == "my folder"


def test_flags_may_stand_anywhere(l1distill: CommandLine) -> None:
    done = l1distill("student", "seed=7", "--cfg", "job", "student.weight_bits=4")
    assert done.status == 0
    assert "weight_bits: 4" in done.out
    assert "seed: 7" in done.out


def test_the_project_parameter_is_split_like_a_shell_line(l1distill: CommandLine) -> None:
    overrides = "student.weight_bits=4 'student.layers=[8, 4]' --cfg job --package student"
    done = l1distill("student", "--overrides", overrides)
    assert done.status == 0
    assert "weight_bits: 4" in done.out
    assert "- 8\n- 4\n" in done.out


def test_profiles_are_a_choice(l1distill: CommandLine) -> None:
    done = l1distill("generate", "profile=standard", "--cfg", "job")
    assert "background: 100000" in done.out


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
    done = l1distill("student", "-m", "seed=1,2,3,4,5", "hydra.sweep.dir=sweep")
    folders = [str(tmp_path / "sweep" / str(job) / "student") for job in range(5)]
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
    done = python(tmp_path, "-c", code, "student", "-m", "student.weight_bits=98,99")
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
