"""The job's settings: from Managed Flink's properties, strict about what they say."""

import json
from pathlib import Path

import pytest

from flink_jobs.room_events.settings import FILE_VARIABLE, Settings, SettingsError, read_settings

NEEDED = {"stream_name": "s", "warehouse": "w", "search_url": "https://localhost:9200"}


def properties(folder: Path, group: str = "room_events", **values: str) -> Path:
    file = folder / "application_properties.json"
    file.write_text(json.dumps([{"PropertyGroupId": group, "PropertyMap": NEEDED | values}]))
    return file


def test_properties_are_text_and_become_typed(tmp_path: Path):
    settings = read_settings(
        properties(tmp_path, gap_timeout_ms="2500", search_allow_insecure="true", sinks="raw,lake")
    )
    assert (settings.gap_timeout_ms, settings.search_allow_insecure) == (2500, True)
    assert (settings.wants("lake"), settings.wants("search")) == (True, False)


def test_limits_by_type_come_as_json(tmp_path: Path):
    settings = read_settings(properties(tmp_path, event_bytes_by_type='{"document.edited": 8192}'))
    assert settings.rules().limits.largest_event_bytes() == 8192


def test_the_file_may_be_named_by_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(FILE_VARIABLE, str(properties(tmp_path, namespace="shadow")))
    assert read_settings().namespace == "shadow"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"gap_timeout": "1"}, "gap_timeout"),
        ({"gap_timeout_ms": "soon"}, "gap_timeout_ms"),
        ({"execution_silence_ms": "999"}, "execution_silence_ms=999 .* is below gap_timeout_ms=1000"),
        ({"sinks": "lake,sea"}, "lake,sea"),
        ({"sinks": ""}, "sinks"),
        ({"search_url": ""}, "search_url"),
        ({"event_bytes_by_type": "{"}, "property"),
    ],
)
def test_a_wrong_property_is_named_with_its_file(tmp_path: Path, values: dict[str, str], message: str):
    with pytest.raises(SettingsError, match=message) as error:
        read_settings(properties(tmp_path, **values))
    assert "application_properties.json" in str(error.value)


def test_a_missing_file_says_what_to_set(tmp_path: Path):
    with pytest.raises(SettingsError, match=FILE_VARIABLE):
        read_settings(tmp_path / "absent.json")


@pytest.mark.parametrize("text", ["{", "{}", "[1]", '[{"PropertyGroupId": "x"}]'])
def test_a_file_of_another_form_is_refused(tmp_path: Path, text: str):
    file = tmp_path / "application_properties.json"
    file.write_text(text)
    with pytest.raises(SettingsError):
        read_settings(file)


def test_another_group_alone_is_refused(tmp_path: Path):
    with pytest.raises(SettingsError, match="no property group"):
        read_settings(properties(tmp_path, group="other"))


def test_the_defaults_are_those_of_production(tmp_path: Path):
    settings = read_settings(properties(tmp_path))
    assert settings == Settings(stream_name="s", warehouse="w", search_url="https://localhost:9200")
    assert (settings.stream_credentials, settings.search_allow_insecure) == ("auto", False)
