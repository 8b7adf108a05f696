"""Charts of results, bars and curves, as PNG and SVG."""

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from bench.results import CPU, EVENTS_PER_S, THROUGHPUT, US_PER_EVENT, Result, result_name
from bench.suite import Curve

_WIDTH_INCHES: Final = 9.0
_BAR_INCHES: Final = 0.46
_FRAME_INCHES: Final = 1.3
_CURVE_INCHES: Final = 4.0
_LABEL_CHARACTERS: Final = 38
_OURS_PREFIX: Final = "ours"
_OURS: Final = "#1f6f8b"
_OTHERS: Final = "#9aa7b0"
_INK: Final = "#222222"


def draw(
    folder: Path, stem: str, results: list[Result], titles: dict[str, str], off_scale: frozenset[str] = frozenset()
) -> list[Path]:
    """Draw throughput and CPU time of all contenders that were measured.

    :param stem: what the files' names begin with.
    :param off_scale: contenders that the chart of throughput leaves out.
    :returns: the files, a PNG and an SVG of each chart.
    """
    where = _origin(results)
    charts = (
        (THROUGHPUT, "throughput", f"Throughput, {EVENTS_PER_S} (more is better)"),
        (CPU, "cpu", f"CPU time, {US_PER_EVENT} (less is better)"),
    )
    files = []
    for measure, suffix, heading in charts:
        bars = _bars(measure, results, titles)
        if measure == THROUGHPUT:
            bars = [bar for bar in bars if bar[0] not in off_scale]
        if bars:
            files += _draw_one(folder / f"{stem}-{suffix}", heading, where, bars)
    return files


def draw_figures(path: Path, heading: str, results: list[Result]) -> list[Path]:
    """Draw figures of one unit, in their order.

    :param path: of the files, without what tells PNG from SVG.
    :returns: both files.
    """
    return _draw_one(path, heading, _origin(results), [(_OURS_PREFIX, result.name, result) for result in results])


def draw_curve(path: Path, heading: str, curve: Curve, results: list[Result]) -> list[Path]:
    """Draw a line from nought up; as :func:`draw_figures`."""

    def fill(axes: Any) -> None:
        axes.plot(*zip(*curve.points, strict=True), color=_OURS)
        axes.set_ylim(bottom=0)
        axes.set_ylabel(curve.up)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")

    return _save(path, heading, f"{curve.across}; {_origin(results)}", _CURVE_INCHES, fill)


def _origin(results: list[Result]) -> str:
    return f"{results[0].machine}; {results[0].date[:10]}, {results[0].commit}" if results else ""


def _bars(measure: str, results: list[Result], titles: dict[str, str]) -> list[tuple[str, str, Result]]:
    """Name, title and result of each contender, in the order of the table."""
    known = {result.name: result for result in results if result.baseline is None}
    found = ((name, title, known.get(result_name(name, measure))) for name, title in titles.items())
    return [(name, title, result) for name, title, result in found if result is not None]


def _draw_one(path: Path, heading: str, where: str, bars: list[tuple[str, str, Result]]) -> list[Path]:
    height = _FRAME_INCHES + _BAR_INCHES * len(bars)
    return _save(path, heading, where, height, lambda axes: _fill(axes, bars))


def _save(path: Path, heading: str, below: str, height: float, fill: Callable[[Any], None]) -> list[Path]:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    path.parent.mkdir(parents=True, exist_ok=True)
    # Text stays text in an SVG, and the same results make the same file.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "codewave", "font.size": 10, "text.color": _INK}):
        figure = Figure(figsize=(_WIDTH_INCHES, height), layout="constrained")
        axes = figure.add_subplot()
        fill(axes)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_title(heading, loc="left", fontsize=12, fontweight="bold")
        axes.set_xlabel(below, fontsize=8, loc="left")
        figure.savefig(path.with_suffix(".png"), dpi=160)
        figure.savefig(path.with_suffix(".svg"), metadata={"Date": None})
    return [path.with_suffix(".png"), path.with_suffix(".svg")]


def _fill(axes: Any, bars: list[tuple[str, str, Result]]) -> None:
    values = [result.value for _, _, result in bars]
    spread = [
        [value - (result.low or value) for value, (_, _, result) in zip(values, bars, strict=True)],
        [(result.high or value) - value for value, (_, _, result) in zip(values, bars, strict=True)],
    ]
    colours = [_OURS if name.startswith(_OURS_PREFIX) else _OTHERS for name, _, _ in bars]
    places = range(len(bars))
    axes.barh(places, values, xerr=spread, color=colours, height=0.62, error_kw={"ecolor": _INK, "capsize": 3})
    for place, value, above in zip(places, values, spread[1], strict=True):
        axes.annotate(
            f"{value:,.0f}" if value >= 100 else f"{value:.1f}",
            (value + above, place), (6, 0), textcoords="offset points", va="center", fontsize=9,
        )  # fmt: skip
    axes.set_yticks(places, [textwrap.fill(title, _LABEL_CHARACTERS) for _, title, _ in bars], fontsize=9)
    axes.invert_yaxis()
    axes.set_xlim(0, max(value + above for value, above in zip(values, spread[1], strict=True)) * 1.14)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.tick_params(axis="y", length=0)
