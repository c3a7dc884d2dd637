"""The order of the tests and the choice of the quick ones, on suites written here."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.conftest import slow_files
from tests.settings import ROOT

pytest_plugins = ["pytester"]


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    """Three files of two tests each, with this project's conftest.py."""
    plugins = "-p no:hydra_pytest -p no:anyio -p no:cacheprovider"
    # fixtures of its conftest.py import the package of the tests
    pytester.makeini(f"[pytest]\naddopts = {plugins}\npythonpath = {ROOT}\n")
    pytester.makeconftest((ROOT / "tests/conftest.py").read_text())
    one = "def test_{0}_1(): print('ran {0}_1')\ndef test_{0}_2(): print('ran {0}_2')\n"
    pytester.makepyfile(**{f"test_{name}": one.format(name) for name in ("a", "b", "c")})
    return pytester


def _record(suite: pytest.Pytester, **seconds: float) -> None:
    recorded = {f"test_{name}.py": value for name, value in seconds.items()}
    (suite.path / "durations.json").write_text(json.dumps(recorded))


def _order(result: pytest.RunResult) -> list[str]:
    return [
        line.split("::")[0] for line in result.outlines if "::test_" in line and " " not in line
    ]


def test_the_longest_file_comes_first_and_new_ones_last(suite: pytest.Pytester) -> None:
    _record(suite, b=30.0, c=40.5)
    ids = _order(suite.runpytest("--collect-only", "-q"))
    assert ids == ["test_c.py"] * 2 + ["test_b.py"] * 2 + ["test_a.py"] * 2


def test_files_of_one_group_stand_together_and_count_together(suite: pytest.Pytester) -> None:
    suite.makeconftest(
        (suite.path / "conftest.py").read_text() + "\nTOGETHER['test_c.py'] = 'test_a.py'\n"
    )
    _record(suite, a=20.0, b=30.0, c=20.0)
    ids = _order(suite.runpytest("--collect-only", "-q"))
    assert ids == ["test_a.py"] * 2 + ["test_c.py"] * 2 + ["test_b.py"] * 2


def test_fast_does_not_even_import_what_is_slow(suite: pytest.Pytester) -> None:
    (suite.path / "test_b.py").write_text("raise RuntimeError('imported')\n")
    _record(suite, a=1.0, b=1000.0)
    assert suite.runpytest("-q").ret == pytest.ExitCode.INTERRUPTED
    result = suite.runpytest("-q", "--fast")
    result.assert_outcomes(passed=4)


def test_a_group_is_not_split_between_processes(suite: pytest.Pytester) -> None:
    suite.makeconftest(
        (suite.path / "conftest.py").read_text() + "\nTOGETHER['test_c.py'] = 'test_a.py'\n"
    )
    print_worker = (
        "import os\ndef test_{0}():\n"
        "    with open('workers', 'a') as file: print('{1}', os.environ['PYTEST_XDIST_WORKER'], "
        "file=file)\n"
    )
    for name in ("a", "b", "c"):
        tests = "".join(print_worker.format(number, name) for number in range(5))
        (suite.path / f"test_{name}.py").write_text(tests)
    result = suite.runpytest_subprocess("-n", "2", "--dist", "loadgroup", "--no-loadscope-reorder")
    result.assert_outcomes(passed=15)
    ran = (suite.path / "workers").read_text().split("\n")[:-1]
    assert len(ran) == 15
    processes = dict(line.split() for line in ran)
    assert {f"{name} {process}" for name, process in processes.items()} == set(ran)
    assert processes["a"] == processes["c"] != processes["b"]


def test_recording_adds_up_files_and_forgets_those_that_are_gone(suite: pytest.Pytester) -> None:
    _record(suite, a=7.0, b=30.0, gone=3.0)
    (suite.path / "test_a.py").write_text(
        "import time, pytest\n@pytest.fixture\ndef slow(): time.sleep(0.3)\n"
        "def test_1(slow): time.sleep(0.2)\ndef test_2(): time.sleep(0.2)\n"
    )
    result = suite.runpytest_subprocess("--record-durations", "test_a.py", "test_c.py", "-n", "1")
    result.assert_outcomes(passed=4)
    recorded = json.loads((suite.path / "durations.json").read_text())
    assert set(recorded) == {"test_a.py", "test_b.py", "test_c.py"}
    assert recorded["test_b.py"] == 30.0
    assert recorded["test_a.py"] >= 0.7
    assert recorded["test_a.py"] != 7.0, "the old figure"


def test_a_failing_run_records_nothing(suite: pytest.Pytester) -> None:
    _record(suite, a=7.0)
    (suite.path / "test_a.py").write_text("def test(): assert False\n")
    suite.runpytest("--record-durations").assert_outcomes(passed=4, failed=1)
    assert json.loads((suite.path / "durations.json").read_text()) == {"test_a.py": 7.0}


def test_the_quickest_files_are_taken_until_the_time_is_up() -> None:
    recorded = {"a": 5.0, "b": 1.0, "c": 3.0, "d": 2.0}
    assert slow_files(recorded, total=11.0) == set()
    assert slow_files(recorded, total=6.0) == {"a"}
    assert slow_files(recorded, total=5.9) == {"a", "c"}
    assert slow_files({}, total=1.0) == set()


def test_recorded_files_are_there() -> None:
    recorded = json.loads((ROOT / "tests/durations.json").read_text())
    assert [name for name in recorded if not (ROOT / name).is_file()] == []


@pytest.mark.parametrize(
    ("target", "commands"),
    [
        ("lint", ["ruff check .", "ruff format --check .", "/mypy", "lint-imports"]),
        ("check", ["ruff check .", "ruff format --check .", "/mypy", "lint-imports", "--fast"]),
        ("test", ["ruff check .", "ruff format --check .", "/mypy", "lint-imports"]),
    ],
)
def test_make_runs_every_check(target: str, commands: list[str]) -> None:
    listing = subprocess.run(
        ["make", "--dry-run", "--assume-old=.venv/.ready", target],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert [command for command in commands if command not in listing] == []
    assert ("-m pytest" in listing) == (target != "lint")
    assert ("--fast" in listing) == (target == "check")


def test_ci_runs_the_command_of_the_readme() -> None:
    assert (ROOT / ".ci/run").read_text().splitlines()[-1] == "make test"
    assert "make test" in Path(ROOT / "README.md").read_text()
