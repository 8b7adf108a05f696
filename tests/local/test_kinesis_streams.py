"""Streams of the emulator are deleted only where they are: asked otherwise, it removes the next one of that name."""

from typing import Any

import pytest

from codewave.local import kinesis
from codewave.local.settings import LocalSettings


class Emulator:
    """Stands in for the emulator's client: which streams there are, and what was to be deleted."""

    def __init__(self, *streams: str) -> None:
        self.streams = set(streams)
        self.asked: list[str] = []

    def delete_stream(self, *, StreamName: str, EnforceConsumerDeletion: bool) -> None:  # noqa: N803 - AWS' names
        assert EnforceConsumerDeletion
        self.asked.append(StreamName)
        self.streams.discard(StreamName)


def use(monkeypatch: pytest.MonkeyPatch, emulator: Emulator) -> None:
    def describe(_settings: LocalSettings, namespace: str) -> dict[str, Any] | None:
        return {"StreamStatus": "ACTIVE"} if f"codewave-{namespace}" in emulator.streams else None

    monkeypatch.setattr(kinesis, "kinesis_client", lambda _settings: emulator)
    monkeypatch.setattr(kinesis, "describe_stream", describe)


def test_a_stream_that_is_not_there_is_not_asked_to_be_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    emulator = Emulator()
    use(monkeypatch, emulator)
    assert kinesis.delete_stream(LocalSettings(), "faults") is False
    assert emulator.asked == []


def test_one_that_is_there_is_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    emulator = Emulator("codewave-faults")
    use(monkeypatch, emulator)
    assert kinesis.delete_stream(LocalSettings(), "faults") is True
    assert emulator.asked == ["codewave-faults"]
