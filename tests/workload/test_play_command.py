"""``codewave play``: wrong use, and a stack that is not up."""

import signal
from pathlib import Path

import pytest
import typer
from recording_sink import small_trace, write_trace
from typer.testing import CliRunner, Result

from codewave.cli import play
from codewave.errors import CodewaveError, WrongUseError


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    play.register(app)
    return app


def run(app: typer.Typer, *words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def test_help_names_every_option(app: typer.Typer) -> None:
    text = run(app, "--help").output
    for option in ("--rooms", "--seconds", "--rate", "--seed", "--chaos", "--truth", "--namespace", "--json"):
        assert option in text


@pytest.mark.parametrize(
    "words", [["--chaos", "drop=2"], ["--rooms", "-1"], ["no-such-file.json.gz"], ["--namespace", "A B"]]
)
def test_wrong_use_is_told_before_anything_is_sent(app: typer.Typer, words: list[str]) -> None:
    assert isinstance(run(app, *words).exception, WrongUseError)


def test_a_broken_trace_is_told_before_the_stream_is_asked(app: typer.Typer, tmp_path: Path) -> None:
    file = write_trace(tmp_path / "broken.json.gz", small_trace(endContent="?"))
    error = run(app, str(file)).exception
    assert isinstance(error, WrongUseError)
    assert "broken.json.gz" in str(error)


def test_without_a_stream_one_line_says_what_to_do(app: typer.Typer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODEWAVE_KINESIS_PORT", "9")  # the discard port: nothing listens
    error = run(app, "--rooms", "1").exception
    assert isinstance(error, CodewaveError)
    assert "codewave up" in str(error)


def test_the_first_interrupt_is_a_wish_and_the_second_interrupts() -> None:
    with play.stop_on_interrupt() as stopped:
        assert not stopped()
        signal.raise_signal(signal.SIGINT)
        assert stopped()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_afterwards_an_interrupt_means_what_it_did_before() -> None:
    before = signal.getsignal(signal.SIGINT)
    with play.stop_on_interrupt():
        pass
    assert signal.getsignal(signal.SIGINT) is before
