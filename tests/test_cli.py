import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from l1distill.cli import COMMANDS, STAGES

ROOT = Path(__file__).parents[1]


class Project(NamedTuple):
    """A project folder with the configuration and nothing else."""

    folder: Path

    def run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """Runs Python in it, as a process of its own: Hydra configures logging for good."""
        environment = {key: value for key, value in os.environ.items() if "MLFLOW" not in key}
        return subprocess.run(
            [sys.executable, *command],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def l1distill(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Runs the command line."""
        return self.run("-m", "l1distill", *arguments)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "conf").symlink_to(ROOT / "conf")
    return Project(tmp_path)


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
        (["student", "studnet=mlp"], "did you mean student?"),
        (["student", "student.weight_bits=six"], "student.weight_bits='six': input should be"),
        (["student", "student.weight_bits=99"], "student.weight_bits=99: input should be less"),
        (["student", "student.layers=[]"], "student.layers"),
        (["student", "experiment=narow_student"], "did you mean narrow_student?"),
        (["student", "student.weight_bits="], "student.weight_bits"),
        (["student", "~student.layers"], "student.layers: missing"),
        (["student", "--nonsense"], "--nonsense: no such flag"),
        (["student", "--overrides"], "--overrides: needs a value"),
        (["teacher"], "data/anomaly: no such folder; run the stage"),
        (["teacher", "data.folder=nowhere"], "nowhere: no such folder"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    project: Project, arguments: list[str], says: str
) -> None:
    done = project.l1distill(*arguments)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("l1distill: ")
    assert says in line
    assert not (project.folder / "models").exists()


def test_the_project_parameter_is_split_like_a_shell_line(project: Project) -> None:
    overrides = "student.weight_bits=4 'student.layers=[8, 4]' --cfg job --package student"
    done = project.l1distill("student", "--overrides", overrides)
    assert done.returncode == 0
    assert "weight_bits: 4" in done.stdout
    assert "- 8\n- 4\n" in done.stdout


@pytest.mark.parametrize(
    "arguments", [["--help"], *([name, "--help"] for name in (*STAGES, *COMMANDS))]
)
def test_help_imports_nothing_heavy(project: Project, arguments: list[str]) -> None:
    heavy = ("tensorflow", "mlflow", "hls4ml", "qkeras", "alkaid", "pythia8mc", "matplotlib")
    code = (
        "import sys; from l1distill.cli import main\n"
        "assert main(sys.argv[1:]) == 0\n"
        f"loaded = [name for name in {heavy!r} if name in sys.modules]\n"
        "assert not loaded, loaded"
    )
    done = project.run("-c", code, *arguments)
    assert done.returncode == 0, done.stderr
    assert "l1distill" in done.stdout


def test_help_of_a_stage_shows_its_configuration(project: Project) -> None:
    done = project.l1distill("student", "--help")
    assert "weight_bits: 6" in done.stdout
    assert "profile: full, none, quick, standard, tiny" in done.stdout


def test_profiles_are_a_choice(project: Project) -> None:
    done = project.l1distill("generate", "profile=standard", "--cfg", "job")
    assert "background: 100000" in done.stdout
