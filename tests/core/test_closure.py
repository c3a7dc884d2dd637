"""What a module depends on, against small packages written here and against grimp's own reading."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import grimp
import pytest

from l1distill.core.closure import closure_of, closure_sha256, import_closure
from l1distill.core.errors import ConfigError

STAGES = sorted(
    path.stem
    for path in (Path(__file__).parents[2] / "src/l1distill/stages").glob("*.py")
    if path.stem != "__init__"
)
FILES = {
    "shop/__init__.py": '"""A package."""\nLAZY = ("shop.lazy",)\n',
    "shop/start.py": (
        "import os, numpy.linalg\n"
        "from typing import TYPE_CHECKING\n"
        "import typing\n"
        "from shop import parts\n"
        "from shop import __version__\n"
        "if TYPE_CHECKING:\n    from shop.types_only import T\n    import torch\n"
        "elif os: import shop.otherwise\n"
        "if typing.TYPE_CHECKING:\n    import shop.types_too\n"
        "def work():\n    from .inner.deep import function\n    import h5py as h5\n"
        "WORKER = 'shop.worker'\nNO_MODULE = ['shop.nothing', 'shop.work er', '.shop', 'a.b']\n"
    ),
    "shop/parts.py": "from . import sibling\nfrom l1distill.core import errors\n",
    "shop/sibling.py": "from .parts import x  # a circle\n",
    "shop/inner/__init__.py": "from shop.inner import helper\nNAMED = 'shop.not_followed'\n",
    "shop/inner/helper.py": "TEMPLATE = 'page.j2'\n",
    "shop/inner/deep.py": "from ..above import y\n",
    "shop/inner/table.json": "{}",
    "shop/inner/templates/page.j2": "page",
    "shop/inner/templates/.page.j2.swp": "",
    "shop/inner/below/__init__.py": "",
    "shop/inner/below/table.json": "{}",
    "shop/inner/conf/inner.yaml": "",
    "shop/above.py": "",
    "shop/worker.py": "",
    "shop/otherwise.py": "",
    "shop/types_only.py": "",
    "shop/types_too.py": "",
    "shop/lazy.py": "",
    "shop/not_followed.py": "",
    "shop/unused.py": "",
}
OF_START = {
    "shop/__init__.py",
    "shop/start.py",
    "shop/parts.py",
    "shop/sibling.py",
    "shop/inner/__init__.py",
    "shop/inner/helper.py",
    "shop/inner/deep.py",
    "shop/inner/table.json",
    "shop/inner/templates/page.j2",
    "shop/above.py",
    "shop/worker.py",
    "shop/otherwise.py",
}
"""What ``shop.start`` depends on, read off the files above by hand."""

Write = Callable[[dict[str, str]], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes files below a new folder and returns the folder."""

    def write(files: dict[str, str]) -> Path:
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        return tmp_path

    return write


def test_a_closure_is_what_a_person_reads_off_the_files(write: Write) -> None:
    root = write(FILES)
    closure = closure_of(["shop.start"], root)
    own = {name for name in closure.files if name.startswith("shop/")}
    assert own == OF_START
    assert "l1distill/core/errors.py" in closure.files
    assert "l1distill/stages/stage.py" not in closure.files
    assert closure.third_party == {"numpy", "h5py"}
    assert all(root / name in import_closure("shop.start", root) for name in OF_START)


def test_strings_of_a_package_count_where_it_is_imported_by_name(write: Write) -> None:
    root = write({**FILES, "shop/client.py": "from shop import anything\n"})
    assert "shop/lazy.py" in closure_of(["shop.client"], root).files
    assert "shop/lazy.py" in closure_of(["shop"], root).files


def test_of_templates_those_count_that_are_named(write: Write) -> None:
    files = {
        "shop/__init__.py": "",
        "shop/page.py": "PAGE = 'page.html.j2'\nfrom shop.other import fill\n",
        "shop/other/__init__.py": "",
        "shop/other/fill.py": "",
        "shop/other/named.py": "def f(name): return f'{name}.j2'\n",
        "shop/templates/page.html.j2": "{% extends 'base.j2' %}",
        "shop/templates/unused.j2": "",
        "shop/other/templates/base.j2": '{% include "foot-note.j2" %}{# study.j2 #}',
        "shop/other/templates/foot-note.j2": "",
        "shop/other/templates/study.j2": "",
    }
    root = write(files)
    expected = {"page.html.j2", "base.j2", "foot-note.j2"}
    found = {Path(name).name for name in closure_of(["shop.page"], root).files}
    assert {name for name in found if name.endswith(".j2")} == expected
    # Where a module puts names together, all templates of its package count.
    write({"shop/page.py": files["shop/page.py"] + "import shop.other.named\n"})
    found = {Path(name).name for name in closure_of(["shop.page"], root).files}
    assert {name for name in found if name.endswith(".j2")} == expected | {"study.j2"}


def test_a_module_outside_a_package_has_no_files_but_its_own(write: Write) -> None:
    root = write({"task.py": "import json\n", "events.csv": "1", "other/events.csv": "1"})
    assert closure_of(["task"], root).files == {"task.py": root / "task.py"}


@pytest.mark.parametrize("name", sorted(OF_START))
def test_any_changed_file_of_the_closure_changes_its_hash(write: Write, name: str) -> None:
    root = write(FILES)
    before = closure_sha256(["shop.start"], root)
    write({name: FILES[name] + ("\n# changed\n" if name.endswith(".py") else " ")})
    assert closure_sha256(["shop.start"], root) != before


def test_no_other_file_changes_its_hash(write: Write) -> None:
    root = write(FILES)
    before = closure_sha256(["shop.start"], root)
    others = set(FILES) - OF_START
    write(dict.fromkeys(others, "# changed") | {"shop/new.py": "", "readme.md": ""})
    assert closure_sha256(["shop.start"], root) == before


def test_a_renamed_or_new_data_file_changes_the_hash(write: Write) -> None:
    root = write(FILES)
    before = closure_sha256(["shop.start"], root)
    write({"shop/inner/sources/main.cpp": ""})
    added = closure_sha256(["shop.start"], root)
    (root / "shop/inner/sources/main.cpp").rename(root / "shop/inner/sources/part.cpp")
    assert len({before, added, closure_sha256(["shop.start"], root)}) == 3


def test_the_hash_is_the_same_elsewhere_and_in_any_order(write: Write) -> None:
    root = write(FILES)
    write({f"moved/{name}": text for name, text in FILES.items()})
    names = ["shop.unused", "shop.start"]
    assert closure_sha256(names, root) == closure_sha256(names[::-1], root / "moved")
    assert closure_sha256(names, root) != closure_sha256(["shop.start"], root)


def test_of_an_implementation_only_what_is_called_counts(write: Write) -> None:
    files = {
        "shop/__init__.py": "",
        "shop/start.py": "def run(task): task.make(1); task.size\n",
        "shop/task.py": (
            "from shop import settings\n"
            "class Task:\n"
            "    kinds = (settings,)\n"
            "    def __init__(self): import shop.initial\n"
            "    def make(self, n): from shop import make; return self.check(n)\n"
            "    def check(self, n): import shop.check\n"
            "    def study(self): import shop.study, torch; self.draw()\n"
            "    def draw(self): 'shop.draw'\n"
            "    @property\n"
            "    def size(self): import shop.size\n"
            "    @hook\n"
            "    def hooked(self): import shop.hooked\n"
            "def helper(): import shop.helper\n"
            "TASK = Task()\n"
        ),
    }
    live = {"settings", "initial", "make", "check", "size", "hooked", "helper", "start", "task"}
    files |= {f"shop/{name}.py": "" for name in (live | {"study", "draw"}) - {"start", "task"}}
    root, modules = write(files), ["shop.start", "shop.task"]
    closure = closure_of(modules, root, implementations=["shop.task"])
    assert closure.modules == {"shop", *(f"shop.{name}" for name in live)}
    assert closure.third_party == set()
    assert closure_of(modules, root).modules == closure.modules | {"shop.study", "shop.draw"}

    # A call anywhere in the closure counts, also in what only the implementation imports.
    write({"shop/check.py": "def check(task): task.study()\n"})
    assert closure_of(modules, root, implementations=["shop.task"]) == closure_of(modules, root)


def test_what_cannot_be_read_is_named(write: Write) -> None:
    root = write({"shop/__init__.py": "", "shop/broken.py": "x = 1\ndef f(:\n"})
    with pytest.raises(ConfigError, match=r"broken\.py: line 2"):
        import_closure("shop.broken", root)
    with pytest.raises(ConfigError, match=r"shop\.none: no such module"):
        import_closure("shop.none", root)
    with pytest.raises(ConfigError, match="no_such_package: no such module"):
        import_closure("no_such_package.task")


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("l1distill", exclude_type_checking_imports=True, cache_dir=None)


@pytest.mark.parametrize("stage", STAGES)
def test_a_closure_holds_all_that_grimp_finds(graph: grimp.ImportGraph, stage: str) -> None:
    module = f"l1distill.stages.{stage}"
    closure = closure_of([module])
    assert graph.find_upstream_modules(module) <= closure.modules
    assert "l1distill.cli" not in closure.modules


def test_workers_and_templates_of_the_synthesis_are_in_its_closure() -> None:
    files = closure_of(["l1distill.stages.synthesize"]).files
    for name in (
        "firmware/rtl/yosys_worker.py",
        "firmware/emulator/sources/replay.cpp",
        "firmware/results/templates/MODEL_CARD.md.j2",
    ):
        assert f"l1distill/{name}" in files


def test_a_closure_holds_all_that_an_import_loads() -> None:
    """What Python itself loads for a stage, without what the stage imports when it runs."""
    script = (
        "import sys, importlib\n"
        "importlib.import_module('l1distill.stages.synthesize')\n"
        "print(*(name for name in sys.modules if name.split('.')[0] == 'l1distill'))\n"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.split()
    assert len(loaded) > 5
    assert set(loaded) <= closure_of(["l1distill.stages.synthesize"]).modules
