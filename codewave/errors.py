"""Errors that a person sees: one line that says what is wrong, where, and what to do."""


class CodewaveError(Exception):
    """Something is not as it should be: the command ends with exit code 1."""

    exit_code = 1


class WrongUseError(CodewaveError):
    """The command was used in a way that cannot work, or a setting is wrong: exit code 2."""

    exit_code = 2
