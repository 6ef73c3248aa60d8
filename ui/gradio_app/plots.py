"""A calibration plot as SVG: how often something happened where it was said to be this likely."""

from collections.abc import Sequence
from html import escape

from tools.predictor.report import Line

SIDE, LEFT, TOP = 220, 44, 12  # pixels: the square of the plot, and what is left of and over it
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)
MARKS = (
    '<circle cx="{x:.1f}" cy="{y:.1f}" r="4"/>',
    '<rect x="{left:.1f}" y="{top:.1f}" width="8" height="8"/>',
    '<path d="M{x:.1f} {top:.1f}l5 9h-10z"/>',
    '<path d="M{x:.1f} {top:.1f}l5 5-5 5-5-5z"/>',
)
"""A shape for each rung, so that colour is not needed to tell them apart."""


def calibration_svg(head: str, lines: Sequence[Line]) -> str:
    """One mark for each bin of each rung; on the diagonal, what was said is what happened."""
    drawn = [line for line in lines if line.bins]
    height = TOP + SIDE + 44 + 20 * len(drawn)
    series = "".join(_series(number, line) for number, line in enumerate(drawn))
    legend = "".join(_legend(number, line) for number, line in enumerate(drawn))
    title = f"Calibration of {escape(head)}: share that happened, by the probability that was said"
    return (
        f'<svg class="plot" viewBox="0 0 {LEFT + SIDE + 16} {height}" role="img" aria-label="{title}">{_axes()}'
        f'<path class="ideal" d="M{_x(0)} {_y(0)}L{_x(1)} {_y(1)}"/>{series}{legend}</svg>'
    )


def _x(share: float) -> float:
    return LEFT + SIDE * share


def _y(share: float) -> float:
    return TOP + SIDE * (1 - share)


def _axes() -> str:
    lines = "".join(
        f'<path class="grid" d="M{_x(0)} {_y(tick)}H{_x(1)}M{_x(tick)} {_y(0)}V{_y(1)}"/>'
        f'<text x="{LEFT - 8}" y="{_y(tick) + 4}" text-anchor="end">{tick:.0%}</text>'
        f'<text x="{_x(tick)}" y="{_y(0) + 18}" text-anchor="middle">{tick:.0%}</text>'
        for tick in TICKS
    )
    return f'{lines}<text x="{_x(0.5)}" y="{_y(0) + 36}" text-anchor="middle">said → happened ↑</text>'


def _series(number: int, line: Line) -> str:
    points = [(_x(said), _y(happened)) for said, happened, _ in line.bins]
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    marks = "".join(_mark(number, x, y) for x, y in points)
    return f'<g class="series s{number % len(MARKS)}"><path class="curve" d="M{path}"/>{marks}</g>'


def _mark(number: int, x: float, y: float) -> str:
    return MARKS[number % len(MARKS)].format(x=x, y=y, left=x - 4, top=y - 5)


def _legend(number: int, line: Line) -> str:
    y = TOP + SIDE + 58 + 20 * number
    return (
        f'<g class="series s{number % len(MARKS)}">{_mark(number, LEFT, y - 4)}</g>'
        f'<text x="{LEFT + 14}" y="{y}">{escape(line.source)} ({line.cases:,})</text>'
    )
