import subprocess
import sys
from pathlib import Path

import pytest

from l1distill.cli import STAGES, main

ROOT = Path(__file__).parents[1]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project folder: the configuration and nothing else."""
    (tmp_path / "conf").symlink_to(ROOT / "conf")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["studnet"], "studnet: no such stage; did you mean student?"),
        (["student", "student.layer=[8]"], "did you mean student.layers?"),
        (["student", "+student.weight_bit=8"], "did you mean student.weight_bits?"),
        (["student", "student=mpl"], "student=mpl: no such choice; did you mean mlp?"),
        (["student", "studnet=mlp"], "did you mean student?"),
        (["student", "student.weight_bits=six"], "student.weight_bits='six': input should be"),
        (["student", "student.weight_bits=99"], "student.weight_bits=99: input should be less"),
        (["student", "student.layers=[]"], "student.layers"),
        (["student", "student.weight_bits="], "student.weight_bits"),
        (["student", "~student.layers"], "student.layers: missing"),
        (["student", "--nonsense"], "--nonsense: no such flag"),
        (["student", "--overrides"], "--overrides: needs a value"),
        (["teacher"], "data/anomaly: no such folder; run the stage"),
        (["teacher", "data.folder=nowhere"], "nowhere: no such folder"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    project: Path, capfd: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    assert main(arguments) == 2
    captured = capfd.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith("l1distill: ")
    assert says in line
    assert not (project / "models").exists()


def test_the_project_parameter_is_split_like_a_shell_line(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    overrides = "student.weight_bits=4 'student.layers=[8, 4]' --cfg job --package student"
    assert main(["student", "--overrides", overrides]) == 0
    out = capfd.readouterr().out
    assert "weight_bits: 4" in out
    assert "- 8\n- 4\n" in out


@pytest.mark.parametrize("arguments", [["--help"], *([stage, "--help"] for stage in STAGES)])
def test_help_imports_nothing_heavy(project: Path, arguments: list[str]) -> None:
    heavy = ("tensorflow", "mlflow", "hls4ml", "qkeras", "alkaid", "pythia8mc", "matplotlib")
    code = (
        "import sys; from l1distill.cli import main\n"
        "assert main(sys.argv[1:]) == 0\n"
        f"loaded = [name for name in {heavy!r} if name in sys.modules]\n"
        "assert not loaded, loaded"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "l1distill" in done.stdout


def test_help_of_a_stage_shows_its_configuration(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["student", "--help"]) == 0
    out = capfd.readouterr().out
    assert "weight_bits: 6" in out
    assert "experiment: " in out
