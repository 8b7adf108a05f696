"""Results: figures with their spread, ratios, the JSON that others read, and charts."""

import json
from pathlib import Path

import pytest

from bench import results
from bench.chart import draw, draw_curve, draw_figures
from bench.contender import Measurement
from bench.report import comparison_table, contender_table
from bench.results import PER_CORE, RESULTS_FOLDER, Comparison, Origin, Result, compared, figure, of_contender
from bench.suite import Curve
from codewave.contract.limits import MIB

WHERE = Origin("x86_64, 2 cores", "2026-01-01T00:00:00+00:00", "abc1234")


def run(seconds: float, cpu_seconds: float = 1.0) -> Measurement:
    return Measurement(1_000, seconds, cpu_seconds, 100 * MIB, 3.0, 1_300)


def by_name(found: list[Result]) -> dict[str, Result]:
    return {result.name: result for result in found}


def test_a_figure_is_the_median_of_the_runs_with_the_lowest_and_the_highest_beside_it():
    rate = by_name(of_contender("ours", [run(1.0), run(10.0), run(2.0)], WHERE))["ours: throughput"]
    assert (rate.value, rate.low, rate.high, rate.runs, rate.unit) == (500, 100, 1_000, 3, "events/s")


def test_every_contender_is_told_by_throughput_cpu_time_memory_and_start_up():
    found = by_name(of_contender("ours", [run(2.0, cpu_seconds=0.5)], WHERE))
    assert {name: (result.value, result.unit) for name, result in found.items()} == {
        "ours: throughput": (500, "events/s"),
        "ours: throughput of a core": (2_000, "events/CPU s"),
        "ours: CPU time": (500, "µs/event"),
        "ours: memory": (100, "MiB"),
        "ours: start-up": (3, "s"),
    }


def test_what_java_compiled_meanwhile_is_told_as_a_share_of_the_cpu_time_where_there_is_java():
    java = run(2.0, cpu_seconds=4.0)
    java.compiling_seconds = 1.0
    compiling = by_name(of_contender("ours", [java, run(2.0, cpu_seconds=4.0)], WHERE))["ours: compiling"]
    assert (compiling.low, compiling.high, compiling.unit) == (0, 25, "% of CPU time")


def test_a_comparison_names_its_baseline_and_is_left_out_where_one_of_the_two_is_missing():
    found = of_contender("ours", [run(1.0, 4.0)], WHERE) + of_contender("other", [run(4.0, 1.0)], WHERE)
    ratios = compared(
        found,
        [
            Comparison("ours", "other", 2.5),
            Comparison("ours", "other", 0.5, PER_CORE),
            Comparison("ours", "absent", 2),
            Comparison("absent", "ours", 2),
        ],
    )
    assert [(one.name, one.baseline, one.ratio, one.goal) for one in ratios] == [
        ("ours: throughput", "other: throughput", 4, 2.5),
        ("ours: throughput of a core", "other: throughput of a core", 0.25, 0.5),
    ]


def test_the_json_has_the_interfaces_names_and_is_read_back_as_it_was(tmp_path: Path):
    found = of_contender("ours", [run(3.0)], WHERE)
    results.write(tmp_path / "results.json", found)
    data = (tmp_path / "results.json").read_bytes()
    first = json.loads(data)[0]
    assert {"name", "value", "unit", "baseline", "ratio", "machine", "date", "commit"} <= set(first)
    assert (first["name"], first["value"], first["baseline"]) == ("ours: throughput", 333.333, None)
    assert results.to_json(results.read(data)) == results.to_json(found)


def test_each_kind_of_machine_has_a_file_of_its_own():
    names = {results.file_name("side_by_side", "short", kind) for kind in ("x86_64, 2 cores", "x86_64, 4 cores")}
    assert names == {"side_by_side.short.x86-64-2-cores.json", "side_by_side.short.x86-64-4-cores.json"}


def test_a_file_that_was_never_committed_is_none():
    assert results.committed(RESULTS_FOLDER / "no-such-suite.json") is None


def test_a_kind_of_machine_says_its_cores():
    assert " cores" in results.machine_kind()


@pytest.fixture
def found() -> list[Result]:
    measured = of_contender("ours", [run(1.0), run(2.0)], WHERE) + of_contender("other", [run(2.0)], WHERE)
    return measured + compared(measured, [Comparison("ours", "other", 2)])


def test_tables_show_every_contender_also_one_without_figures(found: list[Result]):
    table = contender_table("Side by side", found, {"ours": "our job", "other": "another", "broken": "a third"})
    assert list(table.columns[0].cells) == ["ours", "other", "broken"]
    assert list(table.columns[2].cells) == ["750", "500", "–"]
    assert list(comparison_table(found).columns[4].cells) == ["no"]


def test_charts_are_drawn_as_png_and_svg_with_the_contenders_names_and_figures(found: list[Result], tmp_path: Path):
    files = draw(tmp_path, "side-by-side", found, {"ours": "our job", "other": "another"})
    assert sorted(path.name for path in files) == [
        "side-by-side-cpu.png",
        "side-by-side-cpu.svg",
        "side-by-side-throughput.png",
        "side-by-side-throughput.svg",
    ]
    text = (tmp_path / "side-by-side-throughput.svg").read_text(encoding="utf-8")
    assert all(label in text for label in ("our job", "another", "750", "abc1234"))


def test_figures_in_which_nobody_contends_are_drawn_in_one_chart(tmp_path: Path):
    delays = [figure("delay-p50", [12.0], "ms", WHERE), figure("delay-p99", [1_234.0], "ms", WHERE)]
    files = draw_figures(tmp_path / "latency-full", "Latency, ms", delays)
    assert [path.name for path in files] == ["latency-full.png", "latency-full.svg"]
    text = files[1].read_text(encoding="utf-8")
    assert all(label in text for label in ("Latency, ms", "delay-p50", "delay-p99", "1,234", "abc1234"))


def test_a_curve_is_drawn_with_its_axes_named(tmp_path: Path):
    curve = Curve("million events", "MiB", [(0.0, 100.0), (1.0, 900.0), (2.0, 905.0)])
    files = draw_curve(tmp_path / "memory-full", "Memory", curve, [figure("memory", [1.0], "MiB", WHERE)])
    assert [path.name for path in files] == ["memory-full.png", "memory-full.svg"]
    text = files[1].read_text(encoding="utf-8")
    assert all(label in text for label in ("Memory", "million events; x86_64, 2 cores", "MiB"))
