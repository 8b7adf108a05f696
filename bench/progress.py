"""What a person sees while the benchmarks run, on standard error."""

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from bench.contender import Measurement


class Progress:
    """A bar over all runs, and a line for each that has ended."""

    def __init__(self) -> None:
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True, highlight=False),
            transient=True,
        )
        self._task = self._bar.add_task("bench", total=None)

    def __enter__(self) -> "Progress":
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def expect(self, runs: int) -> None:
        """So many runs are to come, all told."""
        self._bar.update(self._task, total=runs, completed=0)

    def begin(self, what: str) -> None:
        """Something begins."""
        self._bar.update(self._task, description=what)

    def done(self, what: str, measured: Measurement) -> None:
        """A run has ended well."""
        rate, cpu = measured.events / measured.seconds, measured.cpu_seconds / measured.events * 1e6
        self.say(f"{what}: {rate:,.0f} events/s, {cpu:.1f} µs of CPU an event, in {measured.seconds:.1f} s")
        self._bar.advance(self._task)

    def skip(self) -> None:
        """A run that was expected is not run."""
        self._bar.advance(self._task)

    def say(self, text: str, style: str = "") -> None:
        """Print a line that stays."""
        self._bar.console.print(text, style=style, markup=False, soft_wrap=True)
