"""Which search a command continues: its database, and the settings that decide candidates."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from l1distill.core.workspace import folder_sha256, replaced_file, work_folder
from l1distill.search.database import url_of
from l1distill.search.identity import DATA, TEACHER
from l1distill.search.store import Store
from l1distill.stages.configuration import flatten

if TYPE_CHECKING:
    from l1distill.stages.search import Settings

DATABASE = "search.db"
"""Of the search, in the output: more candidates continue it."""
_OF_NO_CANDIDATE = ("candidates", "finalists", "seeds", "name", "database")
"""Settings that change no candidate: a search may be continued with others."""
_KEYS = {"generate": DATA, "teacher": TEACHER}
"""Key of the folder of each input."""


def deciding(settings: "Settings", hashes: Mapping[str, str]) -> dict[str, Any]:
    """Return everything that decides what a candidate is and what comes of it, flat.

    Args:
        settings: of the stage.
        hashes: of its inputs.
    """
    left_out = set(_OF_NO_CANDIDATE) - ({"candidates"} if settings.strategy == "post" else set())
    nested = {
        "strategy": settings.strategy,
        "seed": settings.seed,
        "search": settings.search.model_dump(mode="json", exclude=left_out),
        # training: of finalists alone
        "student": settings.student.model_dump(mode="json", exclude={"training"}),
        "distillation": settings.distillation.model_dump(mode="json"),
        "compression": {"prune_output": getattr(settings.compression, "prune_output", True)},
        "augmentation": settings.augmentation.model_dump(mode="json"),
    }
    return {**flatten(nested), **{_KEYS.get(name, name): sha for name, sha in hashes.items()}}


def check_search(settings: "Settings", inputs: Mapping[str, Path]) -> None:
    """Refuse a search that continues another one, and a database that cannot be used.

    Args:
        settings: of the stage.
        inputs: folders that it reads.

    Raises:
        ConfigError: the line names the settings that differ, or what is wrong with the database.
        DataError: the database is damaged, or of another program.
        ResourceError: it is out of reach.
    """
    url = settings.search.database
    if url is None:
        kept = [work_folder(settings.output) / DATABASE, settings.output / DATABASE]
        found = next((path for path in kept if path.is_file()), None)
        if found is None:
            return
        url = url_of(found)
    store = Store(url, settings.search.name, makes_tables=False)
    try:
        store.check(deciding(settings, {key: folder_sha256(path) for key, path in inputs.items()}))
    finally:
        store.close()


def open_store(settings: "Settings", hashes: Mapping[str, str], work: Path) -> Store:
    """Open the records of the search, those of an earlier command among them.

    Args:
        settings: of the stage.
        hashes: of its inputs.
        work: folder of a database in a file.
    """
    work.mkdir(parents=True, exist_ok=True)
    database, before = work / DATABASE, settings.output / DATABASE
    if not database.exists() and before.is_file():
        with replaced_file(database) as new:
            new.write_bytes(before.read_bytes())
    store = Store(settings.search.database or url_of(database), settings.search.name)
    store.open(deciding(settings, hashes))
    return store


def keep_database(work: Path, folder: Path) -> None:
    """Keep a database in a file with the outputs, without what was dropped from it."""
    import sqlite3
    from contextlib import closing

    if (work / DATABASE).exists():
        with closing(sqlite3.connect(work / DATABASE)) as database:
            database.execute("VACUUM INTO ?", (str(folder / DATABASE),))
