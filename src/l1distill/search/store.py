"""The records of a search: any number of workers share them, on any number of machines.

A worker claims a task with one UPDATE that only one of several can win, and writes what came of it
in the transaction that marks it done. A claim lapses when its worker shows no sign of life.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from l1distill.core.errors import ConfigError
from l1distill.search.database import connect, damaged, database_errors
from l1distill.search.identity import differences, plain
from l1distill.search.records import Decision, Drawn, Outcome, Step, Task
from l1distill.search.signs_of_life import is_lost

if TYPE_CHECKING:
    import sqlalchemy


class Store:
    """The records of one search.

    Attributes:
        url: of the database.
        name: of the search.
    """

    def __init__(self, url: str, name: str, *, makes_tables: bool = True) -> None:
        """Connect.

        Args:
            url: of the database, as SQLAlchemy has it: ``sqlite:///``, ``postgresql://``,
                ``mysql://``.
            name: of the search.
            makes_tables: whether tables are made where there are none.

        Raises:
            ConfigError: there is no driver for such a database.
            DataError: it holds something else than searches.
            ResourceError: it is out of reach.
        """
        import sqlalchemy as sa

        self.url, self.name, self._sa = url, name, sa
        self._engine, self._tables = connect(url, makes_tables=makes_tables)

    def close(self) -> None:
        """Disconnect."""
        self._engine.dispose()

    def open(self, settings: Mapping[str, Any]) -> None:
        """Begin the search, or make sure that it is the one that was begun.

        Args:
            settings: all that decides what a candidate is and what comes of it, flat; of data set
                and teacher the hashes, by the keys of their folders.

        Raises:
            ConfigError: the name belongs to a search of something else.
        """
        with suppress(self._sa.exc.IntegrityError), self._writing() as connection:
            row = {"search": self.name, "settings": plain(settings)}
            connection.execute(self._sa.insert(self._tables["searches"]).values(row))
        self.check(settings)

    def check(self, settings: Mapping[str, Any]) -> None:
        """Refuse settings that are not those that the search was begun with, if it was.

        Raises:
            ConfigError: the line names those that differ.
            DataError: what the search was begun with cannot be read.
        """
        searches = self._tables["searches"]
        with self._reading() as connection:
            if not self._sa.inspect(connection).has_table(searches.name):
                return
            query = self._sa.select(searches.c.settings).where(searches.c.search == self.name)
            known = connection.execute(query).scalar_one_or_none()
        if not isinstance(known, dict | None):
            raise damaged(self.url)
        differ = differences(known, plain(settings)) if known is not None else ""
        if differ:
            raise ConfigError(
                f"search.name={self.name}: a search of this name was begun with {differ}; take "
                "this to continue it, or another search.name"
            )

    def add(self, decision: Decision) -> bool:
        """Add what was decided: candidates, tasks, and which snapshots are dropped; all or none.

        Returns:
            Whether it was added; not where another worker has decided.
        """
        sa = self._sa
        rows = [{"search": self.name, **vars(one)} for one in decision.drawn]
        more = [
            {
                "search": self.name,
                **vars(task.step),
                "place": task.place,
                "hidden": list(task.hidden),
                "members": list(task.members),
                "done": task.done,
                "cpu_s": 0.0,
                "owner": "",
                "seen": 0.0,
            }
            for task in decision.tasks
        ]
        try:
            with self._writing() as connection:
                # tasks first: their key is what two workers would both write
                connection.execute(sa.insert(self._tables["tasks"]), more)
                if rows:
                    connection.execute(sa.insert(self._tables["candidates"]), rows)
                for rung, numbers in decision.dropped.items():
                    self._drop(connection, rung, numbers)
        except sa.exc.IntegrityError:
            return False
        return True

    def claim(self, task: Task, owner: str) -> bool:
        """Claim a task, unless another worker that is alive has it or has done it."""
        sa, tasks = self._sa, self._tables["tasks"]
        where = self._is(task) & (tasks.c.done == sa.false())
        with self._reading() as connection:
            query = sa.select(tasks.c.owner, tasks.c.seen).where(where)
            held = connection.execute(query).one_or_none()
        if held is None or (held.owner and not is_lost(held.owner, held.seen)):
            return False
        mine = {"owner": owner, "seen": time.time()}
        unchanged = where & (tasks.c.owner == held.owner) & (tasks.c.seen == held.seen)
        with self._writing() as connection:
            result = connection.execute(sa.update(tasks).where(unchanged).values(mine))
        return bool(result.rowcount == 1)

    def show_life(self, task: Task, owner: str) -> None:
        """Say that the worker of a task is alive."""
        sa, tasks = self._sa, self._tables["tasks"]
        where = self._is(task) & (tasks.c.owner == owner)
        with self._writing() as connection:
            connection.execute(sa.update(tasks).where(where).values(seen=time.time()))

    def finish(
        self, task: Task, owner: str, outcomes: Sequence[Outcome], cpu_s: float = 0.0
    ) -> bool:
        """Record what came of a task, unless the claim has gone to another worker.

        The snapshots of the rung before are dropped: candidates go on from those of this one.

        Args:
            task: that was done.
            owner: who did it.
            outcomes: of each of its candidates.
            cpu_s: CPU time that it took [s].

        Returns:
            Whether it was recorded.
        """
        sa, tasks = self._sa, self._tables["tasks"]
        where = self._is(task) & (tasks.c.owner == owner) & (tasks.c.done == sa.false())
        rows = [{"search": self.name, **vars(one)} for one in outcomes]
        with self._writing() as connection:
            done = sa.update(tasks).where(where).values(done=True, cpu_s=cpu_s)
            if connection.execute(done).rowcount != 1:
                return False
            connection.execute(sa.insert(self._tables["outcomes"]), rows)
            self._drop(connection, task.step.rung - 1, task.members)
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
                cpu_s=row.cpu_s,
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
        """Return where a candidate stood at the end of a rung; empty where it was dropped."""
        outcomes = self._tables["outcomes"]
        where = self._at(rung) & (outcomes.c.number == number)
        with self._reading() as connection:
            query = self._sa.select(outcomes.c.snapshot).where(where)
            return bytes(connection.execute(query).scalar_one())

    def finalist(self, identity: str) -> tuple[dict[str, Any], bytes] | None:
        """Return the metrics and the network of a finalist; None where it was not trained yet.

        Args:
            identity: a hash of all that decides what comes of it.
        """
        table = self._tables["finalists"]
        where = (table.c.search == self.name) & (table.c.identity == identity)
        with self._reading() as connection:
            query = self._sa.select(table.c.row, table.c.network).where(where)
            found = connection.execute(query).one_or_none()
        return None if found is None else (dict(found.row), bytes(found.network))

    def keep_finalist(self, identity: str, row: Mapping[str, Any], network: bytes) -> None:
        """Record a finalist, unless another process has done so."""
        content = {"identity": identity, "row": dict(row), "network": network}
        with suppress(self._sa.exc.IntegrityError), self._writing() as connection:
            insert = self._sa.insert(self._tables["finalists"])
            connection.execute(insert.values({"search": self.name, **content}))

    def _drop(self, connection: Any, rung: int, numbers: Sequence[int]) -> None:
        """Forget where candidates stood at the end of a rung."""
        outcomes = self._tables["outcomes"]
        where = self._at(rung) & outcomes.c.number.in_(numbers) & (outcomes.c.snapshot != b"")
        connection.execute(self._sa.update(outcomes).where(where).values(snapshot=b""))

    def _rows(self, name: str, order: Sequence[str], columns: Sequence[Any] = ()) -> Sequence[Any]:
        table = self._tables[name]
        query = self._sa.select(*(columns or table.c)).where(table.c.search == self.name)
        with self._reading() as connection:
            return connection.execute(query.order_by(*(table.c[one] for one in order))).all()

    def _is(self, task: Task) -> Any:
        tasks = self._tables["tasks"]
        keys = {"search": self.name, **vars(task.step), "place": task.place}
        return self._sa.and_(*(tasks.c[key] == value for key, value in keys.items()))

    def _at(self, rung: int) -> Any:
        outcomes = self._tables["outcomes"]
        return (outcomes.c.search == self.name) & (outcomes.c.rung == rung)

    @contextmanager
    def _reading(self) -> "Iterator[sqlalchemy.Connection]":
        with database_errors(self.url), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> "Iterator[sqlalchemy.Connection]":
        with database_errors(self.url), self._engine.begin() as connection:
            yield connection


def _without_search(row: Any) -> dict[str, Any]:
    return {key: value for key, value in row._mapping.items() if key != "search"}
