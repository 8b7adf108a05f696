"""The picture of the graph, drawn from the SQL: ``python -m iceberg.lineage.picture`` writes ``docs/lineage.svg``.

Layers from left to right: the stream, the jobs that read it, what they write, and what is derived from that. Within a
layer a dataset stands near what feeds it.
"""

import sys
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Final

from msgspec import Struct

from iceberg.definition import TABLES_FOLDER
from iceberg.lineage.graph import Dataset, Graph, lineage_graph

PICTURE: Final = TABLES_FOLDER.parent / "docs" / "lineage.svg"

_WIDTH: Final = 206
_HEIGHT: Final = 28
_ACROSS: Final = 300
"""From one layer to the next."""
_DOWN: Final = 40
_MARGIN: Final = 24
_SPREAD: Final = 3
"""A layer of few boxes has them at most this much further apart."""
_SWEEPS: Final = 8
"""Times that a layer is ordered anew by where its sources are: more change nothing here."""

_STYLE: Final = """\
  <style>
    .panel { fill: #ffffff; stroke: #d0d7de }
    .stream { fill: #eef4fb; stroke: #3a6ea5 }
    .job { fill: #fff6e0; stroke: #a8730a }
    .table { fill: #eaf7ee; stroke: #2f7d46 }
    .index { fill: #f6f8fa; stroke: #57606a }
    .name { fill: #1f2328 }
    .way { fill: none; stroke: #8c959f; stroke-width: 1.3 }
    .back { stroke-dasharray: 5 4 }
    .tip { fill: #8c959f }
    @media (prefers-color-scheme: dark) {
      .panel { fill: #0d1117; stroke: #30363d }
      .stream { fill: #14263a; stroke: #6ca6dd }
      .job { fill: #33270b; stroke: #d9a33a }
      .table { fill: #12291a; stroke: #5fb67a }
      .index { fill: #161b22; stroke: #8b949e }
      .name { fill: #f0f3f6 }
      .way { stroke: #6e7681 }
      .tip { fill: #6e7681 }
    }
  </style>
  <defs>
    <marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="6" markerHeight="6" orient="auto">
      <path class="tip" d="M0 0 L10 5 L0 10 z"/>
    </marker>
  </defs>"""


class Box(Struct, frozen=True, order=True):
    """What is drawn: a dataset, or a job that reads the stream."""

    kind: str
    name: str


Edge = tuple[Box, Box]


class Drawing(Struct, frozen=True):
    """Boxes in their places, and the ways between them."""

    layers: tuple[tuple[Box, ...], ...]
    ways: frozenset[Edge]
    back: frozenset[Edge]
    """Ways against the direction: what closes a day is read again for the next one."""


def lineage_svg(graph: Graph) -> str:
    """The picture as SVG; the same for the same graph."""
    drawing = lay_out(graph)
    rows = max(len(layer) for layer in drawing.layers)
    width = 2 * _MARGIN + _ACROSS * (len(drawing.layers) - 1) + _WIDTH
    height = 2 * _MARGIN + _DOWN * (rows - 1) + _HEIGHT
    places = dict(_places(drawing.layers, rows))
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-size="13" role="img" '
        "font-family=\"system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif\" aria-labelledby=\"title\">",
        '  <title id="title">Which tables and indices are made from which, from the stream to the seals</title>',
        _STYLE,
        f'  <rect class="panel" x="1" y="1" width="{width - 2}" height="{height - 2}" rx="10"/>',
        *(_way(places[a], places[b], "way") for a, b in sorted(drawing.ways)),
        *(_way_back(places[a], places[b]) for a, b in sorted(drawing.back)),
        *(_box(box, place) for box, place in places.items()),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def lay_out(graph: Graph) -> Drawing:
    """Give every box its layer and its place in it."""
    edges = frozenset(_edges(graph))
    back = frozenset(_back(edges))
    ways = edges - back
    depth = _depths(ways)
    layers = [[box for box in sorted(depth) if depth[box] == level] for level in range(max(depth.values()) + 1)]
    for _ in range(_SWEEPS):
        for level in range(1, len(layers)):
            layers[level] = _ordered(layers[level], layers[:level], ways)
    return Drawing(tuple(tuple(layer) for layer in layers), ways, back)


def main() -> None:
    """Write the picture."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURE
    target.write_text(lineage_svg(lineage_graph()), encoding="utf-8")


def _edges(graph: Graph) -> Iterator[Edge]:
    for job in graph.jobs:
        if job.beside:
            continue
        through = Box("job", job.name) if any(one.kind == "stream" for one in job.inputs) else None
        for source in job.inputs:
            for target in job.outputs:
                if through:
                    yield _of(source), through
                    yield through, _of(target)
                elif source != target:
                    yield _of(source), _of(target)


def _of(dataset: Dataset) -> Box:
    return Box(dataset.kind, dataset.name)


def _back(edges: frozenset[Edge]) -> Iterator[Edge]:
    """Edges that close a circle, when one starts where nothing comes in."""
    targets = {target for _, target in edges}
    done: set[Box] = set()

    def follow(box: Box, way: tuple[Box, ...]) -> Iterator[Edge]:
        for source, target in sorted(edges):
            if source != box:
                continue
            if target in way:
                yield source, target
            elif target not in done:
                yield from follow(target, (*way, target))
        done.add(box)

    for start in sorted({source for source, _ in edges} - targets):
        yield from follow(start, (start,))


def _depths(ways: frozenset[Edge]) -> dict[Box, int]:
    depth = dict.fromkeys({box for way in ways for box in way}, 0)
    for _ in depth:
        for source, target in ways:
            depth[target] = max(depth[target], depth[source] + 1)
    return depth


def _ordered(layer: list[Box], above: list[list[Box]], ways: frozenset[Edge]) -> list[Box]:
    return sorted(layer, key=lambda box: _wish(box, above, ways))


def _wish(box: Box, above: list[list[Box]], ways: frozenset[Edge]) -> tuple[bool, float, Box]:
    """Where a box would like to be: the mean of its sources' places; indices below the tables."""
    place = {one: index / max(1, len(layer) - 1) for layer in above for index, one in enumerate(layer)}
    sources = [place[source] for source, target in ways if target == box]
    return box.kind == "index", sum(sources) / len(sources) if sources else 0.0, box


def _places(layers: tuple[tuple[Box, ...], ...], rows: int) -> Iterator[tuple[Box, tuple[int, int]]]:
    for level, layer in enumerate(layers):
        step = _DOWN * min(_SPREAD, max(1, (rows - 1) // max(1, len(layer) - 1)))
        top = _MARGIN + (_DOWN * (rows - 1) - step * (len(layer) - 1)) // 2
        for index, box in enumerate(layer):
            yield box, (_MARGIN + _ACROSS * level, top + step * index)


def _box(box: Box, place: tuple[int, int]) -> str:
    x, y = place
    return (
        f'  <rect class="{box.kind}" x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="5"/>'
        f'<text class="name" x="{x + 10}" y="{y + 19}">{escape(box.name)}</text>'
    )


def _way(source: tuple[int, int], target: tuple[int, int], style: str) -> str:
    x1, y1 = source[0] + _WIDTH, source[1] + _HEIGHT // 2
    x2, y2 = target[0] - 2, target[1] + _HEIGHT // 2
    bend = (x1 + x2) // 2
    return f'  <path class="{style}" marker-end="url(#tip)" d="M{x1} {y1} C{bend} {y1} {bend} {y2} {x2} {y2}"/>'


def _way_back(source: tuple[int, int], target: tuple[int, int]) -> str:
    x1, y1 = source[0] + _WIDTH // 2, source[1] + _HEIGHT
    x2, y2 = target[0] + _WIDTH // 2, target[1] + _HEIGHT + 2
    low = max(y1, y2) + _DOWN // 2
    return f'  <path class="way back" marker-end="url(#tip)" d="M{x1} {y1} C{x1} {low} {x2} {low} {x2} {y2}"/>'


if __name__ == "__main__":
    main()
