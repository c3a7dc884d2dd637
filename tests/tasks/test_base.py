"""Tasks are found by the module that the configuration names."""

import sys
import types
from pathlib import Path

import pytest

from l1distill.core.errors import ConfigError
from l1distill.tasks.anomaly.task import TASK
from l1distill.tasks.base import load_task
from l1distill.tasks.settings import TaskSettings


def _refusal(name: str, module: str) -> str:
    with pytest.raises(ConfigError) as refusal:
        load_task(TaskSettings(name=name, module=module))
    (line,) = str(refusal.value).splitlines()
    return line


def test_the_shipped_task_is_found() -> None:
    assert load_task(TaskSettings(name="anomaly", module="l1distill.tasks.anomaly.task")) is TASK


def test_a_task_of_the_users_is_found_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = "task_of_a_user"
    (tmp_path / f"{module}.py").write_text("class T:\n    name = 'mine'\nTASK = T()\n")
    line = _refusal("mine", module)
    assert line.startswith(f"task.module={module}: cannot be imported (No module named")
    assert "PYTHONPATH" in line
    monkeypatch.syspath_prepend(tmp_path)
    assert load_task(TaskSettings(name="mine", module=module)).name == "mine"


def test_a_module_that_lacks_one_of_its_own_says_which(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "task_that_needs.py").write_text("import a_package_that_nobody_has\n")
    monkeypatch.syspath_prepend(tmp_path)
    line = _refusal("mine", "task_that_needs")
    assert "task.module=task_that_needs: cannot be imported" in line
    assert "a_package_that_nobody_has" in line


def test_a_module_that_is_no_python_says_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "task_with_a_typo.py").write_text("import sys\nTASK = (\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert "(task_with_a_typo.py, line 2)" in _refusal("mine", "task_with_a_typo")


@pytest.mark.parametrize("module", ["", ".task", "l1distill..task"])
def test_a_name_that_no_module_can_have_is_refused(module: str) -> None:
    assert _refusal("anomaly", module).startswith(f"task.module={module}: cannot be imported")


def test_a_module_without_a_task_of_this_name_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    empty = types.ModuleType("an_empty_module")
    monkeypatch.setitem(sys.modules, "an_empty_module", empty)
    assert _refusal("anomaly", "an_empty_module") == (
        "task.module=an_empty_module: holds no TASK of the name anomaly"
    )
    assert _refusal("jets", "l1distill.tasks.anomaly.task") == (
        "task.module=l1distill.tasks.anomaly.task: holds no TASK of the name jets"
    )
