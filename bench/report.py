"""The tables that a run prints."""

from collections.abc import Iterable

from rich.table import Table

from bench.results import CPU, MEMORY, START_UP, THROUGHPUT, Result, result_name


def contender_table(title: str, results: Iterable[Result], titles: dict[str, str]) -> Table:
    """One line a contender."""
    known = {result.name: result for result in results if result.baseline is None}
    table = Table(title=title, title_justify="left")
    for heading in ("contender", "what it is"):
        table.add_column(heading, overflow="fold")
    for heading in ("events/s", "spread", "µs CPU/event", "MiB", "start-up s", "runs"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, told in titles.items():
        rate = known.get(result_name(name, THROUGHPUT))
        if rate is None:
            table.add_row(name, told, "–", "", "", "", "", "0")
            continue
        cpu, memory, startup = (known[result_name(name, measure)].value for measure in (CPU, MEMORY, START_UP))
        spread = f"{rate.low:,.0f}–{rate.high:,.0f}"
        table.add_row(
            name, told, f"{rate.value:,.0f}", spread, f"{cpu:.1f}", f"{memory:,.0f}", f"{startup:.1f}", str(rate.runs)
        )
    return table


def comparison_table(results: Iterable[Result]) -> Table:
    """One line a comparison, with the ratio that is wanted."""
    table = Table(title="Compared", title_justify="left")
    for heading in ("what", "against"):
        table.add_column(heading, overflow="fold")
    for heading in ("ratio", "wanted", "reached"):
        table.add_column(heading, justify="right")
    for result in results:
        if result.ratio is None:
            continue
        wanted = "" if result.goal is None else f"≥ {result.goal:g}"
        reached = "" if result.goal is None else "yes" if result.ratio >= result.goal else "no"
        style = "red" if reached == "no" else ""
        table.add_row(result.name, result.baseline, f"{result.ratio:.2f}", wanted, reached, style=style)
    return table


def figure_table(title: str, results: Iterable[Result]) -> Table:
    """One line a figure, of a suite in which nobody contends."""
    table = Table(title=title, title_justify="left")
    table.add_column("what", overflow="fold")
    table.add_column("value", justify="right")
    table.add_column("unit")
    table.add_column("compared", overflow="fold")
    for result in results:
        compared = "" if result.ratio is None else f"{result.ratio:.1%} of {result.baseline}"
        table.add_row(result.name, f"{result.value:,.{0 if abs(result.value) >= 100 else 1}f}", result.unit, compared)
    return table
