"""Pictures of a trained model: distributions of responses and of weights."""

from pathlib import Path

from l1distill.evaluation.evaluation import Curves
from l1distill.reporting.pictures import FOLDER, Picture
from l1distill.reporting.plots.style import PALETTE, canvas, save
from l1distill.tasks.pileup.evaluation import JETS, PTMISS, WEIGHTS
from l1distill.tasks.pileup.plots import METHODS

_LOOKS = {**METHODS, "teacher": ("teacher", PALETTE[3]), "student": ("student", PALETTE[6])}
_WORDS = {PTMISS: "response of missing pT", JETS: "response of jet pT"}


def draw_model(curves: Curves, model: str, folder: Path) -> list[Picture]:
    """Draw the curves of :func:`.evaluation.evaluate_weights` into ``folder/plots``."""
    plots = folder / FOLDER
    figure, axes = canvas(2, height=4.0)
    for ax, (quantity, label) in zip(axes, _WORDS.items(), strict=True):
        for name, curve in curves[f"response_{quantity}"].items():
            words, color = _LOOKS[name]
            ax.step(curve.x, curve.y, where="mid", color=color, label=words)
        ax.set(xlabel=label, ylabel="share")
    axes[0].legend(frameon=False, fontsize="small")
    save(figure, plots / "responses.png")
    figure, (ax,) = canvas()
    for name, curve in curves[WEIGHTS].items():
        words, color = _LOOKS[name]
        ax.step(curve.x, curve.y, where="mid", color=color, label=words)
    ax.set(xlabel="weight", ylabel="share of particles", yscale="log")
    ax.legend(frameon=False)
    save(figure, plots / "weights.png")
    return [
        Picture(
            caption=f"Responses of missing pT and jets with the {model}'s weights, and with others",
            path=plots / "responses.png",
        ),
        Picture(caption=f"Weights that the {model} gives particles", path=plots / "weights.png"),
    ]
