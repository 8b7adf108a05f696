"""What is told of an exception: what it is, where it broke, in bounded length."""

from typing import NoReturn

from udfs.failure import MESSAGE_CHARACTERS, told


def failure(raises: Exception, depth: int = 0) -> Exception:
    """``raises`` as it comes out of so many calls."""

    def deep(left: int) -> NoReturn:
        if left:
            deep(left - 1)
        raise raises

    try:
        deep(depth)
    except Exception as error:  # noqa: BLE001
        return error


def test_the_innermost_frame_comes_first_with_file_line_and_function():
    first, where, *_ = told(failure(ValueError("bad"))).splitlines()
    assert first == "ValueError: bad"
    assert where.startswith("  at udfs/test_failure.py:")
    assert where.endswith("in failure.<locals>.deep")


def test_a_long_trace_keeps_its_innermost_frames():
    text = told(failure(ValueError("bad"), depth=200))
    assert len(text) == MESSAGE_CHARACTERS
    assert text.startswith("ValueError: bad\n  at udfs/test_failure.py:")
    assert text.endswith("…")


def test_its_own_words_are_bounded_and_can_be_left_out():
    error = failure(KeyError("x" * 5_000))
    assert len(told(error).splitlines()[0]) < 320
    assert told(error, own_words=False).splitlines()[0] == "KeyError"


def test_what_caused_it_is_told_too():
    error = failure(ValueError("bad"))
    error.__cause__ = failure(OSError("gone"))
    assert "\ncaused by OSError: gone\n  at " in told(error)


def test_causes_that_go_in_circles_end():
    error, other = failure(ValueError("a")), failure(ValueError("b"))
    error.__cause__, other.__cause__ = other, error
    assert told(error).count("caused by") == 1


def test_an_exception_that_cannot_be_put_into_words_is_told_all_the_same():
    class MuteError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert "RuntimeError" in told(failure(MuteError())).splitlines()[0]
