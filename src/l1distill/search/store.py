"""The database of a search: any number of workers share it, on any number of machines.

A worker claims a task with one UPDATE that only one of several can win, and writes what came of it
in the transaction that marks it done. A claim lapses when its worker shows no sign of life.
"""

import os
import socket
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from l1distill.core.errors import ConfigError, ResourceError, first_line
from l1distill.search.records import Drawn, Outcome, Step, Task

if TYPE_CHECKING:
    import sqlalchemy

LOST_S = 120.0
"""A worker without a sign of life for so long is taken for lost [s]."""


def worker_name() -> str:
    """Return a name that no other worker has; it says on which machine it runs, and as what."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


def url_of(path: Path) -> str:
    """Return the address of a database in a file."""
    return f"sqlite:///{path.absolute()}"


class Store:
    """The records of one search.

    Attributes:
        url: of the database.
        name: of the search.
    """

    def __init__(self, url: str, name: str) -> None:
        """Connect; tables are made where there are none.

        Args:
            url: of the database, as SQLAlchemy has it: ``sqlite:///``, ``postgresql://``,
                ``mysql://``.
            name: of the search.

        Raises:
            ConfigError: there is no driver for such a database.
            ResourceError: it is out of reach.
        """
        import sqlalchemy as sa

        self.url, self.name, self._sa = url, name, sa
        options = {"connect_args": {"timeout": 60.0}} if url.startswith("sqlite") else {}
        try:
            self._engine = sa.create_engine(url, **options)
            self._tables = _tables(sa)
            self._tables["searches"].metadata.create_all(self._engine)
        except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError, ImportError) as error:
            raise ConfigError(f"search.database: {first_line(error)}") from error
        except sa.exc.OperationalError as error:
            raise ResourceError(f"search.database: {first_line(error)}") from error

    def close(self) -> None:
        """Disconnect."""
        self._engine.dispose()

    def open(self, fingerprint: str) -> None:
        """Begin the search, or make sure that it is the one that was begun.

        Args:
            fingerprint: of the space, the data and all else that decides what a candidate is.

        Raises:
            ConfigError: the name belongs to a search of something else.
        """
        sa, searches = self._sa, self._tables["searches"]
        with suppress(sa.exc.IntegrityError), self._engine.begin() as connection:
            row = {"search": self.name, "fingerprint": fingerprint}
            connection.execute(sa.insert(searches).values(row))
        with self._engine.connect() as connection:
            query = sa.select(searches.c.fingerprint).where(searches.c.search == self.name)
            known = connection.execute(query).scalar_one()
        if known != fingerprint:
            raise ConfigError(
                f"search.name={self.name}: is a search of another space, data set, teacher or "
                "training; give this one another search.name"
            )

    def add(self, drawn: Sequence[Drawn], tasks: Sequence[Task]) -> bool:
        """Add candidates and tasks, all or none.

        Returns:
            Whether they were added; not where another worker has added them.
        """
        sa = self._sa
        rows = [{"search": self.name, **vars(one)} for one in drawn]
        more = [
            {
                "search": self.name,
                **vars(task.step),
                "place": task.place,
                "hidden": list(task.hidden),
                "members": list(task.members),
                "done": task.done,
                "owner": "",
                "seen": 0.0,
            }
            for task in tasks
        ]
        try:
            with self._engine.begin() as connection:
                # tasks first: their key is what two workers would both write
                connection.execute(sa.insert(self._tables["tasks"]), more)
                if rows:
                    connection.execute(sa.insert(self._tables["candidates"]), rows)
        except sa.exc.IntegrityError:
            return False
        return True

    def claim(self, task: Task, owner: str) -> bool:
        """Claim a task, unless another worker that is alive has it or has done it."""
        sa, tasks = self._sa, self._tables["tasks"]
        where = self._is(task) & (tasks.c.done == sa.false())
        with self._engine.connect() as connection:
            query = sa.select(tasks.c.owner, tasks.c.seen).where(where)
            held = connection.execute(query).one_or_none()
        if held is None or (held.owner and not _is_lost(held.owner, held.seen)):
            return False
        mine = {"owner": owner, "seen": time.time()}
        unchanged = where & (tasks.c.owner == held.owner) & (tasks.c.seen == held.seen)
        with self._engine.begin() as connection:
            result = connection.execute(sa.update(tasks).where(unchanged).values(mine))
        return bool(result.rowcount == 1)

    def show_life(self, task: Task, owner: str) -> None:
        """Say that the worker of a task is alive."""
        sa, tasks = self._sa, self._tables["tasks"]
        where = self._is(task) & (tasks.c.owner == owner)
        with self._engine.begin() as connection:
            connection.execute(sa.update(tasks).where(where).values(seen=time.time()))

    def finish(self, task: Task, owner: str, outcomes: Sequence[Outcome]) -> bool:
        """Record what came of a task, unless the claim has gone to another worker.

        Returns:
            Whether it was recorded.
        """
        sa, tasks = self._sa, self._tables["tasks"]
        where = self._is(task) & (tasks.c.owner == owner) & (tasks.c.done == sa.false())
        rows = [{"search": self.name, **vars(one)} for one in outcomes]
        with self._engine.begin() as connection:
            if connection.execute(sa.update(tasks).where(where).values(done=True)).rowcount != 1:
                return False
            connection.execute(sa.insert(self._tables["outcomes"]), rows)
        return True

    def tasks(self) -> list[Task]:
        """Return all tasks, in order."""
        rows = self._rows("tasks", ("phase", "generation", "rung", "place"))
        return [
            Task(
                step=Step(phase=row.phase, generation=row.generation, rung=row.rung),
                place=row.place,
                hidden=row.hidden,
                members=row.members,
                done=row.done,
            )
            for row in rows
        ]

    def candidates(self) -> list[Drawn]:
        """Return all candidates, in order."""
        return [Drawn(**_without_search(row)) for row in self._rows("candidates", ("number",))]

    def outcomes(self) -> list[Outcome]:
        """Return all outcomes without their snapshots, by candidate and rung."""
        columns = [c for c in self._tables["outcomes"].c if c.name not in ("search", "snapshot")]
        rows = self._rows("outcomes", ("number", "rung"), columns)
        return [Outcome(**row._mapping) for row in rows]

    def snapshot(self, number: int, rung: int) -> bytes:
        """Return where a candidate stood at the end of a rung."""
        sa, outcomes = self._sa, self._tables["outcomes"]
        where = (
            (outcomes.c.search == self.name)
            & (outcomes.c.number == number)
            & (outcomes.c.rung == rung)
        )
        with self._engine.connect() as connection:
            query = sa.select(outcomes.c.snapshot).where(where)
            return bytes(connection.execute(query).scalar_one())

    def _rows(self, name: str, order: Sequence[str], columns: Sequence[Any] = ()) -> Sequence[Any]:
        sa, table = self._sa, self._tables[name]
        query = sa.select(*(columns or table.c)).where(table.c.search == self.name)
        with self._engine.connect() as connection:
            return connection.execute(query.order_by(*(table.c[one] for one in order))).all()

    def _is(self, task: Task) -> Any:
        tasks = self._tables["tasks"]
        keys = {"search": self.name, **vars(task.step), "place": task.place}
        return self._sa.and_(*(tasks.c[key] == value for key, value in keys.items()))


def _without_search(row: Any) -> dict[str, Any]:
    return {key: value for key, value in row._mapping.items() if key != "search"}


def _is_lost(owner: str, seen: float) -> bool:
    """Tell whether a worker is dead: it shows no sign of life, or its process is gone."""
    if time.time() - seen > LOST_S:
        return True
    host, process, _ = owner.split(":")
    if host != socket.gethostname():
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _tables(sa: Any) -> "dict[str, sqlalchemy.Table]":
    metadata = sa.MetaData()
    name, number = sa.String(200), sa.Integer()

    def column(key: str, kind: Any, primary: bool = False) -> Any:
        return sa.Column(key, kind, primary_key=primary, autoincrement=False, nullable=False)

    def table(key: str, *columns: Any) -> Any:
        return sa.Table(f"search_{key}", metadata, column("search", name, True), *columns)

    step = ("phase", "generation", "rung", "place")
    return {
        "searches": table("searches", column("fingerprint", sa.String(64))),
        "candidates": table(
            "candidates",
            column("number", number, True),
            *(column(key, number) for key in ("phase", "generation")),
            *(column(key, sa.JSON()) for key in ("values", "distributions", "attributes")),
        ),
        "tasks": table(
            "tasks",
            *(column(key, number, True) for key in step),
            *(column(key, sa.JSON()) for key in ("hidden", "members")),
            column("done", sa.Boolean()),
            column("owner", name),
            column("seen", sa.Float(53)),
        ),
        "outcomes": table(
            "outcomes",
            *(column(key, number, True) for key in ("number", "rung")),
            column("epochs", number),
            sa.Column("loss", sa.Float(53)),
            *(column(key, sa.JSON()) for key in ("costs", "metrics")),
            column("snapshot", sa.LargeBinary(2**24)),
        ),
    }
