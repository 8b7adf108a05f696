"""Steps of the set-up: done once per state of their inputs, and clear about what failed."""

import threading
from pathlib import Path

import pytest

from codewave.errors import CodewaveError
from codewave.local.install_steps import Step, failure, fingerprint, run_command, run_lanes, run_step, telling_line
from codewave.local.settings import LocalSettings


@pytest.fixture
def settings(tmp_path: Path) -> LocalSettings:
    return LocalSettings(cache_folder=str(tmp_path / "cache"))


class Counted:
    """An installation that counts how often it ran and leaves its output."""

    def __init__(self, output: Path) -> None:
        self.output = output
        self.times = 0

    def __call__(self) -> None:
        self.times += 1
        self.output.write_text("installed", encoding="utf-8")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "pom.xml").write_text("one", encoding="utf-8")
    return folder


@pytest.fixture
def install(tmp_path: Path) -> Counted:
    return Counted(tmp_path / "output.jar")


@pytest.fixture
def step(source: Path, install: Counted) -> Step:
    return Step(name="the jar", takes="a second", output=install.output, inputs=(source,), install=install)


def test_a_step_that_was_done_is_not_done_again(settings: LocalSettings, step: Step, install: Counted) -> None:
    assert run_step(settings, step)
    assert not run_step(settings, step)
    assert install.times == 1


def test_a_step_is_done_again_when_an_input_changed(
    settings: LocalSettings, step: Step, source: Path, install: Counted
) -> None:
    run_step(settings, step)
    (source / "pom.xml").write_text("two", encoding="utf-8")
    assert run_step(settings, step)
    assert install.times == 2


def test_a_step_is_done_again_when_an_input_file_was_added(settings: LocalSettings, step: Step, source: Path) -> None:
    run_step(settings, step)
    (source / "New.java").write_text("", encoding="utf-8")
    assert run_step(settings, step)


def test_a_step_is_done_again_when_its_output_is_gone(settings: LocalSettings, step: Step, install: Counted) -> None:
    run_step(settings, step)
    install.output.unlink()
    assert run_step(settings, step)


def test_a_step_that_failed_is_tried_again(settings: LocalSettings, step: Step, install: Counted) -> None:
    run_step(settings, step)
    failing = Step(name=step.name, takes="", output=step.output, inputs=(), install=_fail)
    with pytest.raises(CodewaveError, match="broken"):
        run_step(settings, failing)
    assert run_step(settings, step)
    assert install.times == 2


def test_a_step_without_its_output_is_an_error(settings: LocalSettings, tmp_path: Path) -> None:
    step = Step(name="nothing", takes="", output=tmp_path / "absent", install=lambda: None)
    with pytest.raises(CodewaveError, match="nothing: there is still no"):
        run_step(settings, step)


def test_a_moved_line_between_two_files_changes_the_fingerprint(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_text("xy", encoding="utf-8")
    second.write_text("z", encoding="utf-8")
    before = fingerprint([first, second])
    first.write_text("x", encoding="utf-8")
    second.write_text("yz", encoding="utf-8")
    assert fingerprint([first, second]) != before


def test_a_failure_in_one_lane_stops_the_other_before_its_next_step(settings: LocalSettings, tmp_path: Path) -> None:
    failing = threading.Event()
    late = Counted(tmp_path / "late")

    def fail() -> None:
        failing.set()
        _fail()

    def wait() -> None:
        assert failing.wait(10)
        (tmp_path / "first").touch()

    first = Step(name="first", takes="", output=tmp_path / "first", install=wait)
    second = Step(name="second", takes="", output=late.output, install=late)
    lanes = [[first, second], [Step(name="failing", takes="", output=tmp_path / "never", install=fail)]]
    with pytest.raises(CodewaveError, match="broken"):
        run_lanes(settings, lanes)
    assert late.times == 0


def test_a_program_that_fails_is_told_with_its_line_and_its_log(settings: LocalSettings) -> None:
    with pytest.raises(CodewaveError, match=r"demo: sh failed: Error: no space; all of it in .*demo\.log; mend that"):
        run_command(settings, "demo", ["sh", "-c", "echo fine; echo Error: no space; exit 3"])


def test_a_program_that_is_not_there_is_told(settings: LocalSettings) -> None:
    with pytest.raises(CodewaveError, match="demo: no-such-program cannot start: No such file"):
        run_command(settings, "demo", ["no-such-program"])


@pytest.mark.parametrize(
    "said", ["npm error code ENOTFOUND", "[ERROR] Could not transfer artifact x: PKIX path building failed"]
)
def test_a_failed_download_advises_on_the_network(tmp_path: Path, said: str) -> None:
    log = tmp_path / "npm.log"
    log.write_text(said, encoding="utf-8")
    assert "check the network" in failure("demo", "npm", log)


def test_the_telling_line_is_the_first_error() -> None:
    assert telling_line("start\nERROR: this\nERROR: that\nend\n\n") == "ERROR: this"


def test_the_telling_line_is_the_last_line_where_none_speaks_of_an_error() -> None:
    assert telling_line("start\nkilled\n\n") == "killed"


def _fail() -> None:
    raise CodewaveError("broken")
