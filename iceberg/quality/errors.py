"""What a closed gate raises."""

from typing import TYPE_CHECKING

from codewave.errors import CodewaveError

if TYPE_CHECKING:
    from iceberg.quality.gate import GateResult


class GateClosed(CodewaveError):  # noqa: N818 - a gate is closed, it has not gone wrong
    """An expectation with severity ``block`` failed: nothing may be built on these rows before they are repaired."""

    def __init__(self, message: str, result: "GateResult") -> None:
        super().__init__(message)
        self.result = result
