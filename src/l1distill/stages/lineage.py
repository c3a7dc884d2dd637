"""lineage: the chain from a registered version to its collisions, each link verified."""

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from l1distill.artifacts.dvc_cache import checked_out
from l1distill.artifacts.record import Record
from l1distill.core.errors import DataError
from l1distill.core.workspace import file_sha256, folder_sha256
from l1distill.firmware.files import BUNDLE
from l1distill.stages.command import Command, CommandSettings
from l1distill.stages.input_folders import KEYS
from l1distill.tracking.lineage import Version, find_version, run_tags
from l1distill.tracking.outputs import run_of
from l1distill.tracking.store import Store, connect
from l1distill.tracking.store_errors import store_errors_as_one_line


class Settings(CommandSettings):
    """Settings of ``l1distill lineage``."""

    model: str | None = None
    """Registered version, ``models:/NAME@ALIAS`` or ``models:/NAME/VERSION``; null for what is in
    the folders, whether it is registered or not."""
    data_folder: Path = Path("data/anomaly")
    """Output of ``l1distill generate``."""
    teacher_folder: Path = Path("models/teacher")
    """Output of ``l1distill teacher``."""
    student_folder: Path = Path("models/student")
    """Output of ``l1distill student``."""
    firmware_folder: Path = Path("firmware/student")
    """Output of ``l1distill synthesize``."""


_KEYS = {**KEYS, "generate": "data_folder"}
CHAIN = (("synthesize", "student"), ("student", "teacher"), ("teacher", "generate"))
"""Each stage with the one that it was made from."""


@dataclass(frozen=True, kw_only=True)
class Link:
    """One link of the chain, as it was verified.

    Attributes:
        what: what it is.
        identity: its hash, or the commit.
        where: folder or file.
        run_id: of its run; empty if it has none.
        verified: against what it was held.
    """

    what: str
    identity: str
    where: str = ""
    run_id: str = ""
    verified: str = ""


def _run(settings: Settings) -> None:
    named = {
        "synthesize": settings.firmware_folder,
        "student": settings.student_folder,
        "teacher": settings.teacher_folder,
        "generate": settings.data_folder,
    }
    with store_errors_as_one_line(), ExitStack() as stack:
        folders = {
            stage: stack.enter_context(_checked_out(stage, folder))
            for stage, folder in named.items()
        }
        store = connect(settings.tracking)
        version = None if settings.model is None else find_version(store.client, settings.model)
        links = list(_links(named, folders, store, version))
    _print(links)


@contextmanager
def _checked_out(stage: str, folder: Path) -> Iterator[Path]:
    """Yield where the files of a folder are; one that is nowhere is named by its key."""
    with ExitStack() as stack:
        try:
            place = stack.enter_context(checked_out(folder))
        except DataError as error:
            if not str(error).startswith(f"{folder}: "):
                raise
            raise DataError(f"{_KEYS[stage]}={error}") from error
        yield place


def _links(
    named: Mapping[str, Path], folders: Mapping[str, Path], store: Store, version: Version | None
) -> Iterator[Link]:
    """Yield the links from the version to the data set.

    Args:
        named: the folder of each stage.
        folders: where its files are, which is in DVC's cache if it is not there.
        store: of the runs.
        version: where the chain begins; None if it begins with the bundle.

    Raises:
        DataError: a link is broken; the line says which.
    """
    records = {stage: Record.read(folder) for stage, folder in folders.items()}
    hashes = {stage: folder_sha256(folder) for stage, folder in folders.items()}
    _check_chain(named, records, hashes)
    bundle = folders["synthesize"] / BUNDLE
    if version is not None:
        version.check(hashes["student"], hashes["synthesize"], bundle)
        yield Link(
            what=f"{version.name} version {version.number}",
            identity=version.content_sha256,
            run_id=version.run_id,
            verified="its run is FINISHED; made of the student and the firmware below",
        )
    yield Link(
        what="firmware bundle",
        identity=file_sha256(bundle),
        where=str(named["synthesize"] / BUNDLE),
        verified="as the synthesis recorded it",
    )
    commits: dict[str, list[str]] = {}
    for stage, folder in folders.items():
        run_id = run_of(store.client, folder)
        tags = run_tags(store.client, run_id)
        commits.setdefault(tags.get("git_commit", "unknown"), []).append(stage)
        yield Link(
            what=_named(stage, tags),
            identity=hashes[stage],
            where=str(named[stage]) + ("" if folder == named[stage] else " (in DVC's cache)"),
            run_id=run_id,
            verified="every file as recorded; made from what is below",
        )
    data = records["generate"]
    yield Link(
        what=f"data set {data.dataset}",
        identity=data.dataset_md5,
        where=str(named["generate"] / "card.json"),
        verified="the one that teacher, student and firmware name",
    )
    for commit, stages in commits.items():
        yield Link(
            what=f"commit of {', '.join(stages)}", identity=commit, verified=_check_commit(commit)
        )


def _named(stage: str, tags: Mapping[str, str]) -> str:
    experiment = f" (experiment {tags['experiment']})" if "experiment" in tags else ""
    return f"{stage}{experiment}{', imported' if tags.get('imported') == 'true' else ''}"


def _check_chain(
    folders: Mapping[str, Path], records: Mapping[str, Record], hashes: Mapping[str, str]
) -> None:
    """Hold what each record says of its inputs against the folders that are there."""
    for stage, source in CHAIN:
        recorded = records[stage].inputs.get(source)
        if recorded != hashes[source]:
            raise DataError(
                f"{folders[stage]}: broken link: made from another {source} "
                f"({(recorded or 'none')[:12]}) than {folders[source]} ({hashes[source][:12]}); "
                "name its folder, or run dvc checkout in the commit that it was made in"
            )
        if records[stage].dataset_md5 != records["generate"].dataset_md5:
            raise DataError(
                f"{folders[stage]}: broken link: of the data set {records[stage].dataset_md5}, not "
                f"{records['generate'].dataset_md5} in {folders['generate']}"
            )


def _check_commit(commit: str) -> str:
    """Return what was found of a commit.

    Raises:
        DataError: the checkout has no such commit.
    """
    if commit == "unknown":
        return "not known: the run was not started in a checkout"
    command = ["git", "cat-file", "-e", f"{commit}^{{commit}}"]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except OSError:
        return "git is not installed"
    if done.returncode != 0:
        raise DataError(f"commit {commit}: broken link: this checkout has no such commit; fetch it")
    return "in this checkout"


def _print(links: list[Link]) -> None:
    for depth, link in enumerate(links):
        indent = "   " * max(depth - 1, 0) + ("└─ " if depth else "")
        run = f"  run {link.run_id}" if link.run_id else ""
        where = f"  {link.where}" if link.where else ""
        print(f"{indent}{link.what}  {link.identity[:16]}{where}{run}  ✓ {link.verified}")


COMMAND = Command(name="lineage", settings=Settings, run=_run)
