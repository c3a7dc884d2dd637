"""Style of every plot, and PNG files that are the same bytes each time."""

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PALETTE = (
    *("#3f90da", "#bd1f01", "#ffa90e", "#832db6"),
    *("#a96b59", "#92dadd", "#e76300", "#717581", "#b9ac70"),
)
"""Colors that people with any color vision tell apart (Petroff, arXiv:2107.02270)."""
DPI = 120
"""Pixels per inch of every picture."""
BACKGROUND = "#94a4a2"
"""Gray of the same palette, for what the others are compared with."""


def color_of(name: str, palette: Sequence[str] = PALETTE) -> str:
    """Return the color of a name, the same in every figure."""
    return palette[zlib.crc32(name.encode()) % len(palette)]


def canvas(
    columns: int = 1, width: float = 6.0, height: float = 4.5
) -> "tuple[Figure, list[Axes]]":
    """Returns an empty figure with ``columns`` axes side by side; sizes in inches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * columns, height), layout="constrained")
    axes = [figure.add_subplot(1, columns, 1 + column) for column in range(columns)]
    for ax in axes:
        ax.grid(alpha=0.25)
        ax.spines[["top", "right"]].set_visible(False)
    return figure, axes


def panels(
    columns: int, heights: Sequence[float], width: float = 3.6
) -> "tuple[Figure, list[list[Axes]]]":
    """Return an empty figure with a row of axes for each height; columns share the x axis.

    Args:
        columns: number of panels in a row.
        heights: of the rows, in inches.
        width: of a column, in inches.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * columns, sum(heights)), layout="constrained")
    axes = figure.subplots(
        len(heights), columns, sharex="col", squeeze=False, height_ratios=heights
    )
    for ax in axes.flat:
        ax.grid(alpha=0.25)
        ax.spines[["top", "right"]].set_visible(False)
    return figure, [list(row) for row in axes]


def save(figure: "Figure", path: Path) -> None:
    """Writes a PNG without version or date, so that equal figures are equal files.

    The layout is computed here: to compute it, Matplotlib's own ``savefig`` goes through all of
    the drawing once more.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.ticker import LogLocator

    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            if axis.get_scale() == "log":  # half of the time would go into nine ticks a decade
                axis.set_minor_locator(LogLocator(subs=(2.0, 5.0)))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.set_dpi(DPI)
    painter = FigureCanvasAgg(figure)
    layout = figure.get_layout_engine()
    if layout is not None:
        layout.execute(figure)
        figure.set_layout_engine("none")
    painter.print_png(path, metadata={"Software": None})  # type: ignore[no-untyped-call]
