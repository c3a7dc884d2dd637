"""What the project promises about itself."""

import hashlib
import re
import subprocess

import pytest
from omegaconf import OmegaConf

from tests.settings import ROOT

KEYWORD = re.compile(r"^(?P<name>[a-z0-9][a-z0-9._-]*)==", flags=re.MULTILINE)


def test_every_locked_package_has_a_hash_and_no_address() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    blocks = re.split(r"\n(?=[a-z0-9])", lock[lock.index("\n", lock.index("uv pip compile")) :])
    assert len(blocks) > 150
    assert all("--hash=sha256:" in block for block in blocks if KEYWORD.search(block))
    assert not re.search(r"https?://|^--|@ file:", lock, flags=re.MULTILINE)


def test_mlflow_rebuilds_its_environment_when_the_lock_changes() -> None:
    sha256 = hashlib.sha256((ROOT / "requirements.lock").read_bytes()).hexdigest()
    (dependency,) = OmegaConf.load(ROOT / "python_env.yaml").dependencies
    assert dependency == f"-r requirements.lock # sha256 {sha256[:16]}"


@pytest.mark.parametrize("command", ["make repro", "make test"])
def test_the_two_commands_are_on_the_first_screen(command: str) -> None:
    first_screen = (ROOT / "README.md").read_text().splitlines()[:24]
    assert any(line.startswith(command) for line in first_screen)


def test_make_alone_lists_its_targets() -> None:
    listing = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert all(target in listing for target in ("repro", "test", "ui", "lock"))


def test_another_python_is_one_line() -> None:
    done = subprocess.run(
        ["make", "PYTHON=false", "VENV=build/none", "setup"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert "needs Python 3.11" in line
    assert not (ROOT / "build").exists()


def test_nothing_large_is_in_git() -> None:
    names = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    sizes = {name: (ROOT / name).stat().st_size for name in names if (ROOT / name).is_file()}
    assert {name: size for name, size in sizes.items() if size > 2**20} == {}
