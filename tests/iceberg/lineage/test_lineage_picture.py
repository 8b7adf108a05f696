"""The picture in the documentation shows the graph as the SQL has it."""

from xml.etree import ElementTree as ET

import pytest

from iceberg.lineage.graph import QUALITY, Dataset, Graph, Job, known_graph
from iceberg.lineage.picture import PICTURE, Box, lay_out, lineage_svg

SVG = "{http://www.w3.org/2000/svg}"


def table(name: str) -> Dataset:
    return Dataset(name, "table")


@pytest.fixture(scope="module")
def graph() -> Graph:
    return known_graph()


def test_the_committed_picture_is_current(graph: Graph) -> None:
    """Write it with `python -m iceberg.lineage.picture`."""
    assert PICTURE.read_text(encoding="utf-8") == lineage_svg(graph)


def test_every_dataset_is_drawn_once_and_no_two_boxes_lie_on_each_other(graph: Graph) -> None:
    root = ET.fromstring(lineage_svg(graph))  # noqa: S314
    names = [str(text.text) for text in root.iter(f"{SVG}text")]
    assert {one.name for one in graph.datasets()} - QUALITY <= set(names)
    places = [(rect.get("x"), rect.get("y")) for rect in root.iter(f"{SVG}rect") if rect.get("class") != "panel"]
    assert len(places) == len(set(places)) == len(names)


def test_a_derived_table_stands_right_of_everything_it_is_made_from() -> None:
    jobs = (
        Job(name="first", inputs=(table("a"),), outputs=(table("b"),)),
        Job(name="second", inputs=(table("a"), table("b")), outputs=(table("c"),)),
    )
    drawing = lay_out(Graph(jobs))
    assert drawing.layers == ((Box("table", "a"),), (Box("table", "b"),), (Box("table", "c"),))


def test_what_closes_a_circle_is_drawn_as_a_way_back() -> None:
    jobs = (
        Job(name="derive", inputs=(table("source"), table("seals")), outputs=(table("ledger"),)),
        Job(name="close", inputs=(table("ledger"),), outputs=(table("seals"),)),
    )
    drawing = lay_out(Graph(jobs))
    assert drawing.back == {(Box("table", "seals"), Box("table", "ledger"))}
    assert drawing.layers[-1] == (Box("table", "seals"),)
