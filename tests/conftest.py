"""What all tests share."""

import gc
import itertools
import json
import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from filelock import FileLock

from l1distill.cli import COLLECTION
from l1distill.core.processor import pin_processor_features
from l1distill.firmware.files import BUNDLE
from tests.programs import find_program

if TYPE_CHECKING:
    from tests.servers import Server

pin_processor_features(os.environ)  # as a stage does; workers and subprocesses inherit it
DURATIONS = Path(__file__).with_name("durations.json")
"""Seconds that the tests of each file took, one after the other; ``make durations`` writes it."""
FAST_TOTAL_S = 60.0
"""``--fast`` takes the quickest files as long as their tests take no longer in sum."""
RECORDED = pytest.StashKey[dict[str, float]]()


TOGETHER = {
    "tests/e2e/test_server.py": "tests/tracking/test_registry.py",
    "tests/tracking/test_server_faults.py": "tests/tracking/test_registry.py",
}
"""Files that run in the process of another, whose session fixtures they share."""


def group_of(nodeid: str) -> str:
    """Names the group of tests that a test runs with in one process: its file, or another."""
    file = nodeid.partition("::")[0]
    return TOGETHER.get(file, file)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("durations")
    group.addoption(
        "--fast", action="store_true", help="only the quickest test files, and new ones"
    )
    group.addoption(
        "--record-durations", action="store_true", help=f"write {DURATIONS.name} if all pass"
    )


def pytest_configure(config: pytest.Config) -> None:
    recorded = json.loads(DURATIONS.read_text()) if DURATIONS.is_file() else {}
    config.stash[RECORDED] = recorded
    if config.getoption("record_durations") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Recorder(recorded))


class _Recorder:
    """Adds up what the tests of each file take, their fixtures included."""

    def __init__(self, recorded: dict[str, float]) -> None:
        self.recorded = recorded
        self.seconds: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[report.nodeid.partition("::")[0]] += report.duration

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if exitstatus == pytest.ExitCode.OK:
            kept = {
                name: seconds
                for name, seconds in {**self.recorded, **self.seconds}.items()
                if (session.config.rootpath / name).is_file()
            }
            lines = {name: round(seconds, 1) for name, seconds in sorted(kept.items())}
            DURATIONS.write_text(json.dumps(lines, indent=1) + "\n")


def slow_files(recorded: Mapping[str, float], total: float = FAST_TOTAL_S) -> set[str]:
    """Returns the files that do not fit into ``total`` seconds, taken from the quickest on."""
    names = sorted(recorded, key=lambda name: (recorded[name], name))
    sums = itertools.accumulate(recorded[name] for name in names)
    return {name for name, seconds in zip(names, sums, strict=True) if seconds > total}


def pytest_collection_finish() -> None:
    """Keeps the garbage collector from walking through all that the tests have imported.

    With TensorFlow's modules among it that takes a fifth of the time of a session.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTION)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Keeps ``--fast`` from even importing the files that are slow."""
    if not config.getoption("fast") or not collection_path.is_relative_to(config.rootpath):
        return None
    name = collection_path.relative_to(config.rootpath).as_posix()
    return name in slow_files(config.stash[RECORDED]) or None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begins with the longest group; leaves out tests of optional programs that are missing.

    CI installs them all.
    """
    cost: Counter[str] = Counter()
    for name, seconds in config.stash[RECORDED].items():
        cost[group_of(name)] += seconds
    items.sort(key=lambda item: -cost[group_of(item.nodeid)])
    if os.environ.get("CI"):
        return
    missing = [
        item
        for item in items
        if any(not find_program(mark.args[0]) for mark in item.iter_markers("needs_program"))
    ]
    if missing:
        items[:] = [item for item in items if item not in missing]
        config.hook.pytest_deselected(items=missing)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Keeps absl, which TensorFlow brings, from closing the file that pytest captures to.

    Hydra's configuration of logging closes all handlers, and absl's closes its stream with it
    unless that is the standard error of the moment or of the process.
    """
    absl = sys.modules.get("absl.logging")
    if absl is not None:
        absl.get_absl_handler().python_handler.stream = sys.__stderr__


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Hands whole groups to the processes, in their order.

    ``--dist loadgroup`` of pytest-xdist 3.8 does not see its marks under pytest 9.2 (its issue
    1386) and would tear files apart.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Groups(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid)

    return Groups(config, log) if config.getvalue("dist") == "loadgroup" else None


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of the tests see, to be used under a lock."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture(scope="session", autouse=True)
def compiler(shared: Path) -> Iterator[None]:
    """A compiler that reads the headers of all C simulations once, for all processes."""
    from tests.precompiled import write_compiler

    folder = shared / "compiler"
    with FileLock(shared / "compiler.lock"):
        is_there = (folder / "g++").exists() or write_compiler(folder)
    with pytest.MonkeyPatch.context() as patch:
        if is_there:
            patch.setenv("PATH", str(folder), prepend=os.pathsep)
        yield


@pytest.fixture(scope="session")
def programs(shared: Path) -> Path:
    """A folder for the front of ``PATH``, whose stages and DVC are forked."""
    from tests.forked import forked_programs

    return forked_programs(shared / "programs")


@pytest.fixture(scope="session")
def template(shared: Path) -> Path:
    """An initialized tracking store to copy, for all processes: MLflow takes long to make one."""
    import mlflow

    path = shared / "template.db"
    with FileLock(shared / "template.lock"):
        if not path.exists():
            part = path.with_suffix(".part")
            part.unlink(missing_ok=True)
            mlflow.MlflowClient(f"sqlite:///{part}").search_experiments()
            part.rename(path)
    return path


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Server]":
    """An MLflow server with PostgreSQL, an S3 store and accounts."""
    from tests.servers import mlflow_server, postgresql, s3

    folder = tmp_path_factory.mktemp("server")
    with (
        postgresql() as database,
        s3() as address,
        mlflow_server(folder, database, address) as server,
    ):
        yield server


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small bundle, not to be changed."""
    from tests.firmware.emulators import write_small_bundle

    return write_small_bundle(tmp_path_factory.mktemp("whole"))


@pytest.fixture
def bundle(whole: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copy(whole, tmp_path / BUNDLE))
