"""The page of a study or a sweep: sentences, tables and pictures, as HTML and as Markdown."""

from collections.abc import Sequence

from l1distill.reporting import markdown
from l1distill.reporting.pictures import Picture
from l1distill.reporting.tables import Table
from l1distill.reporting.template import embed, fill


def render_study(
    title: str,
    lead: str,
    words: Sequence[str],
    tables: Sequence[Table],
    pictures: Sequence[Picture],
) -> tuple[str, str]:
    """Return the page as HTML and as Markdown.

    Args:
        title: heading.
        lead: what was run.
        words: sentences, a paragraph each.
        tables: what matters most first.
        pictures: in ``plots/`` beside the page.
    """
    html = fill(
        "sweep_page.html.j2",
        title=title,
        lead=lead,
        words=words,
        tables=tables,
        pictures=embed(pictures),
    )
    text = [f"# {title}", lead, *words, *(markdown.section(table) for table in tables)]
    text += [f"![{one.caption}](plots/{one.path.name})" for one in pictures]
    return html, "\n\n".join(part.strip() for part in text if part.strip()) + "\n"
