"""Draw the pictures of the documentation as SVG.

``python -m docs.generate.pictures`` writes ``docs/pictures/pipeline.svg``, which the README shows;
a test holds the committed file equal to what this module draws.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

PIPELINE = Path(__file__).parents[1] / "pictures" / "pipeline.svg"
INK, MUTED, PAPER, LINE = "#1f2933", "#52606d", "#ffffff", "#9aa5b1"
BOX = "#eef3f8"
FONT = "'Segoe UI', 'Helvetica Neue', Helvetica, Arial, 'DejaVu Sans', sans-serif"
MONO = "'SFMono-Regular', Menlo, Consolas, 'DejaVu Sans Mono', monospace"


@dataclass(frozen=True)
class Box:
    """A stage: its name, what it does in a few lines, and the folder that it writes."""

    name: str
    lines: Sequence[str]
    folder: str
    color: str


STAGES = (
    Box("generate", ("PYTHIA 8 collisions", "20 pileup collisions", "fast detector"),
        "data/anomaly", "#2f6f9f"),
    Box("teacher", ("large autoencoder", "learns background", "gives anomaly scores"),
        "models/teacher", "#7a4f9e"),
    Box("student", ("small network learns", "the teacher's score", "quantized and pruned"),
        "models/student", "#a2428a"),
    Box("synthesize", ("Verilog, HLS, C++", "compared bit for bit", "LUT, FF, latency"),
        "firmware/student", "#b35c1e"),
    Box("promote", ("gates: latency, size,", "physics, exactness", "champion, or refused"),
        "promotion", "#2d7d46"),
)  # fmt: skip
LAST = Box("report", ("one page with all of it",), "report", "#52606d")


def text(x: float, y: float, content: str, size: float, color: str = INK, style: str = "") -> str:
    """Return a line of centered text."""
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" fill="{color}" '
        f'text-anchor="middle"{style}>{escape(content)}</text>'
    )


def arrow(x1: float, y1: float, x2: float, y2: float) -> str:
    """Return an arrow between two points."""
    return (
        f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" stroke="{MUTED}" '
        'stroke-width="1.8" marker-end="url(#head)"/>'
    )


def svg(width: float, height: float, title: str, body: Sequence[str]) -> str:
    """Return a whole picture on a white card, which reads on dark pages too."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}" role="img" font-family="{FONT}">',
        f"<title>{escape(title)}</title>",
        '<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" '
        f'markerHeight="7" orient="auto-start-reverse"><path d="M0 0L10 5L0 10z" fill="{MUTED}"/>'
        "</marker></defs>",
        f'<rect x="0.5" y="0.5" width="{width - 1:g}" height="{height - 1:g}" rx="12" '
        f'fill="{PAPER}" stroke="#d9e2ec"/>',
        *body,
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def pipeline() -> str:
    """Draw the stages from collisions to a promoted trigger, with what each one writes."""
    width, box_width, box_height, gap, left, top = 1000.0, 164.0, 118.0, 29.0, 32.0, 34.0
    mono = f' font-family="{MONO}"'
    body = []
    for number, box in enumerate(STAGES):
        x = left + number * (box_width + gap)
        middle = x + box_width / 2
        body += [
            f'<rect x="{x:g}" y="{top:g}" width="{box_width:g}" height="{box_height:g}" rx="9" '
            f'fill="{BOX}" stroke="{box.color}" stroke-width="1.5"/>',
            f'<path d="M{x:g} {top + 34:g}v-25a9 9 0 0 1 9 -9h{box_width - 18:g}'
            f'a9 9 0 0 1 9 9v25z" fill="{box.color}"/>',
            text(middle, top + 23, box.name, 16, "#ffffff", ' font-weight="600"'),
            *(text(middle, top + 57 + 20 * row, line, 13.5) for row, line in enumerate(box.lines)),
            text(middle, top + box_height + 21, box.folder, 12.5, MUTED, mono),
        ]
        if number:
            y = top + box_height / 2 + 17
            body.append(arrow(x - gap + 3, y, x - 3, y))
    # the report reads all of them
    y = top + box_height + 46
    right = left + len(STAGES) * (box_width + gap) - gap
    body += [
        f'<path d="M{left:g} {y - 10:g}v6a6 6 0 0 0 6 6h{right - left - 12:g}a6 6 0 0 0 6 -6v-6" '
        f'fill="none" stroke="{LINE}" stroke-width="1.5"/>',
        arrow(width / 2, y + 2, width / 2, y + 22),
    ]
    report_width, y = 420.0, y + 24
    x = (width - report_width) / 2
    body += [
        f'<rect x="{x:g}" y="{y:g}" width="{report_width:g}" height="36" rx="9" fill="{BOX}" '
        f'stroke="{LAST.color}" stroke-width="1.5"/>',
        f'<path d="M{x + 104:g} {y:g}h-95a9 9 0 0 0 -9 9v18a9 9 0 0 0 9 9h95z" '
        f'fill="{LAST.color}"/>',
        text(x + 52, y + 23, LAST.name, 16, "#ffffff", ' font-weight="600"'),
        text(x + 195, y + 23, LAST.lines[0], 13.5),
        text(x + 350, y + 23, "report/index.html", 12.5, MUTED, mono),
    ]
    y += 62
    notes = "each box: a command l1distill <stage>, a DVC stage, an MLflow run, a folder of files"
    body.append(text(width / 2, y, notes, 13.5, MUTED))
    title = "From collisions to a promoted trigger: " + ", ".join(
        box.name for box in (*STAGES, LAST)
    )
    return svg(width, y + 18, title, body)


if __name__ == "__main__":
    PIPELINE.write_text(pipeline(), encoding="utf-8")
