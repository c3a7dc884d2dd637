"""Arguments of the command line: what is taken, and what is refused in one line and how it ends."""

from pathlib import Path

import pytest
from hydra.errors import ConfigCompositionException

from l1distill.stages.refusals import explain
from tests.cli.conftest import CommandLine


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
        (["student", "student=mpl"], "there are anomaly, cnn, hgq, jets, mlp, pileup, trees"),
        (
            ["student", "student=trees", "student.training.epochs=2"],
            "student.training.epochs: student=trees has no such key; student=anomaly and",
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
        (
            ["student", "compression=pruning", "end_epoch=3"],
            "end_epoch: no such key; did you mean compression.end_epoch?",
        ),
        (
            ["student", "compression=autopruner", "compression.nodes=half"],
            "compression.nodes='half': give a whole number of nodes, at least 1, or a share",
        ),
        (
            ["student", "student=trees", "+student.training.epochs=2"],
            "student.training.epochs: student=trees has no such key; student=anomaly and",
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
        (
            ["generate", "data=own", "task=pileup"],
            "data=own: is of task=anomaly, not of task=pileup; of task=pileup there is data=pileup",
        ),
        (
            ["student", "data=public", "task=jets"],
            "data=public: is of task=anomaly, not of task=jets; of task=jets there are data=jets, "
            "data=own_jets",
        ),
        (
            ["teacher", "teacher=cnn_ae", "task=pileup"],
            "teacher=cnn_ae: is of task=anomaly, not of task=pileup; of task=pileup there are "
            "teacher=pileup, teacher=pileup_published",
        ),
        (
            ["pipeline", "task=jets", "data=nanoaod"],
            "data=nanoaod: is of task=anomaly, not of task=j",
        ),
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
    assert done.err.endswith("student=anomaly has no such key; student=mine has it\n")


def test_a_fault_of_a_file_is_not_laid_on_the_search_path() -> None:
    error = ConfigCompositionException("student/mine: overrides are not allowed in it")
    words = ["hydra.searchpath=[file:///nowhere]", "seed=1"]
    assert "student/mine: overrides are not allowed" in explain(error, "student", words)


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
