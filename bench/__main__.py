"""``python -m bench``: run the benchmarks, print what was measured, keep it, and say what became slower."""

import sys
import time
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer
from rich.console import Console

from bench import guard, results
from bench.contender import Contender
from bench.derived_day import DerivedDay
from bench.latency import Latency
from bench.memory import Memory
from bench.progress import Progress
from bench.report import comparison_table, contender_table, figure_table
from bench.scaling import Scaling
from bench.side_by_side import SideBySide
from bench.state import State
from bench.suite import FULL, SHORT, Mode, Outcome, Plan, Suite, chosen
from codewave.errors import CodewaveError
from codewave.local.settings import PROJECT_ROOT, LocalSettings, load_settings

SUITES: Final[tuple[Suite, ...]] = (SideBySide(), Scaling(), Memory(), Latency(), DerivedDay(), State())
"""The first alone is the short mode."""
CHARTS_FOLDER: Final = PROJECT_ROOT / "docs" / "performance"
_NARROWEST: Final = 130
"""Columns of a table where the output is no terminal."""

_messages: Final = Console(stderr=True, highlight=False)


def bench(  # noqa: PLR0913, PLR0917 -- one for each option
    full: Annotated[
        bool, typer.Option("--full", help="All suites but derived_day, more events and runs: under 40 minutes.")
    ] = False,
    only: Annotated[str, typer.Option(help="Contenders or whole suites, by name, separated by commas.")] = "",
    repeats: Annotated[int, typer.Option(min=0, help="Runs of each contender; 0: as many as the mode says.")] = 0,
    events: Annotated[int, typer.Option(min=0, help="Events of the input; 0: as many as the mode says.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON list instead of tables.")] = False,
    list_them: Annotated[bool, typer.Option("--list", help="Print the contenders' names and what they are.")] = False,
) -> None:
    """Measure the pipeline beside what else could be used, on the same input; without --full in under 5 minutes.

    Each contender runs once, and again, in turns, while there is time; start-up and the first 40 % of the events, in
    which Java compiles, are not measured.

    Whole suites are kept in bench/results and drawn in docs/performance; those of the full mode without --full, those
    of which --only names a part, and those with --repeats or --events, beside the local stack's data.

    Ends with code 1 if a contender failed, or if one that runs code of ours became slower than the committed results of
    the same kind of machine by more than 15 % beyond their spread. It is run once more before that is said, if there is
    time, and by how much the machine is slower for the other contenders is allowed for.
    """
    settings = load_settings()
    names = frozenset(name.strip() for name in only.split(",") if name.strip())
    suites = [suite for suite in SUITES if suite.name in names or (not suite.apart if full else suite is SUITES[0])]
    known = [(suite, _contenders(suite, settings, full=full, names=names)) for suite in suites]
    if list_them:
        for suite, contenders in known:
            lines = [f"{suite.name:<14}{one.name:<26}{one.title}\n" for one in contenders]
            sys.stdout.writelines(lines or [f"{suite.name:<14}{'':<26}{suite.title}\n"])
        return
    mode = _mode(full=full, repeats=repeats, events=events)
    parts = zip(suites, chosen(known, names), strict=True)
    taking_part = [(suite, part) for suite, part in parts if part or not names or suite.name in names]
    where, began = results.origin(), time.monotonic()
    outcomes = []
    with Progress() as progress:
        for number, (suite, part) in enumerate(taking_part, start=1):
            share = sum(one.share for one, _ in taking_part[:number]) / sum(one.share for one, _ in taking_part)
            before = results.committed(_kept(suite, mode, where))
            plan = Plan(settings, mode, progress, where, began + mode.budget_s * share, before)
            outcomes.append((plan, suite, suite.run(plan, part)))
    if as_json:
        found = [result for _, _, outcome in outcomes for result in outcome.results]
        sys.stdout.write(msgspec.json.format(results.to_json(found), indent=2).decode() + "\n")
    else:
        _print([(suite, outcome) for _, suite, outcome in outcomes])
    as_planned = names <= {suite.name for suite in SUITES} and not (repeats or events)
    drifted = guard.drift(
        [result for _, _, outcome in outcomes for result in outcome.results],
        [result for plan, _, _ in outcomes for result in plan.before or []],
    )
    if drifted > 1:
        _say(f"guard: the machine takes {drifted:.2f} times as long for what is not ours as then, which is allowed for")
    well = []
    for plan, suite, outcome in outcomes:
        whole = as_planned and (full or suite is SUITES[0]) and not outcome.failures
        well.append(_keep(plan, suite, outcome, drifted, whole=whole))
    sys.exit(0 if all(well) else 1)


def _contenders(suite: Suite, settings: LocalSettings, *, full: bool, names: frozenset[str]) -> list[Contender]:
    """All of a suite; in a short run without those that are for full ones, unless they are named."""
    every = suite.contenders(settings)
    return [one for one in every if full or one.name in names or not getattr(one, "thorough", False)]


def _mode(*, full: bool, repeats: int, events: int) -> Mode:
    mode = FULL if full else SHORT
    if repeats:
        mode = msgspec.structs.replace(mode, rounds=repeats, budget_s=float("inf"))
    return msgspec.structs.replace(mode, events=events) if events else mode


def _print(outcomes: list[tuple[Suite, Outcome]]) -> None:
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=max(console.width, _NARROWEST))
    for suite, outcome in outcomes:
        if not outcome.titles:
            console.print(figure_table(suite.title, outcome.results))
            continue
        console.print(contender_table(suite.title, outcome.results, outcome.titles))
        if any(result.ratio is not None for result in outcome.results):
            console.print(comparison_table(outcome.results))
    console.print(
        "Medians. Start-up is in no figure but its own, and the warm-up, the first 40 % of the events, is in none; CPU "
        "time and memory are those of all of a contender's processes."
    )
    found = [result for _, outcome in outcomes for result in outcome.results]
    if compiling := [result.value for result in found if result.unit == results.COMPILED]:
        console.print(
            f"After the warm-up, Java's compiler used {min(compiling):.0f} to {max(compiling):.0f} % of the CPU time "
            "of the contenders that have one."
        )


def _kept(suite: Suite, mode: Mode, where: results.Origin) -> Path:
    """Where a whole run's results are committed."""
    return results.RESULTS_FOLDER / results.file_name(suite.name, mode.name, where.machine)


def _keep(plan: Plan, suite: Suite, outcome: Outcome, drifted: float, *, whole: bool) -> bool:
    """Write what was found, draw it and compare it; returns whether all is well."""
    kept = _kept(suite, plan.mode, plan.where)
    folder = plan.settings.data / "bench"
    file = kept if whole else folder / "results" / kept.name
    results.write(file, outcome.results)
    _say(f"results: {_shown(file)}")
    stem = f"{suite.name.replace('_', '-')}-{plan.mode.name}"
    if charts := _draw(CHARTS_FOLDER if whole else folder / "charts", stem, suite, outcome):
        _say(f"charts: {', '.join(_shown(path) for path in charts)}")
    for failure in outcome.failures:
        _say(f"failed: {failure}", "red")
    if plan.before is None:
        _say(f"guard: nothing to compare with; no committed {_shown(kept)}")
        return not outcome.failures
    worse = guard.slower(outcome.results, plan.before, drifted)
    for one in worse:
        _say(f"slower: {one}" if one.is_ours else f"slower, but nothing of ours: {one}", "red" if one.is_ours else "")
    ours = [one for one in worse if one.is_ours]
    if not ours:
        _say(f"guard: nothing of ours is slower than in the committed {_shown(kept)}")
    return not ours and not outcome.failures


def _draw(folder: Path, stem: str, suite: Suite, outcome: Outcome) -> list[Path]:
    from bench.chart import draw, draw_curve, draw_figures

    if not outcome.results:
        return []
    if outcome.curve:
        return draw_curve(folder / stem, suite.title, outcome.curve, outcome.results)
    if outcome.titles:
        return draw(folder, stem, outcome.results, outcome.titles, outcome.off_scale)
    if drawn := [result for result in outcome.results if result.unit == outcome.drawn_unit]:
        return draw_figures(folder / stem, f"{suite.title}, {outcome.drawn_unit} (less is better)", drawn)
    return []


def _say(text: str, style: str = "") -> None:
    _messages.print(text, style=style, markup=False, soft_wrap=True)


def _shown(path: Path) -> str:
    return str(path.relative_to(PROJECT_ROOT)) if path.is_relative_to(PROJECT_ROOT) else str(path)


def main() -> None:
    """Run the command; an expected error is one line on standard error."""
    app = typer.Typer(
        add_completion=False, pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]}
    )
    app.command()(bench)
    try:
        app(prog_name="bench")
    except CodewaveError as error:
        _say(f"bench: {str(error).removeprefix('bench: ')}", "red")
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
