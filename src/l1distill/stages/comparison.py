"""Tables of teacher against student, which stages show in a report and on a card."""

from collections.abc import Mapping

from l1distill.reporting.tables import Table
from l1distill.tasks.base import Task


def comparison_tables(
    task: Task, teacher: Mapping[str, float], student: Mapping[str, float]
) -> list[Table]:
    """Return the tables of :meth:`Task.comparison`, of which a task may have one or several.

    Args:
        task: compares them.
        teacher: metrics of the teacher.
        student: metrics of the student.
    """
    tables = task.comparison(teacher, student)
    return [tables] if isinstance(tables, Table) else list(tables)
