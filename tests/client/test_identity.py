"""Event ids are UUIDv7 made of a time and random bits."""

import re
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codewave.client import new_collector_id, new_event_id, uuid7
from codewave.client.identity import now_millis, piece_event_id
from codewave.contract.fields import EVENT_ID_PATTERN
from codewave.errors import WrongUseError


@given(millis=st.integers(0, 2**48 - 1), random_bits=st.integers(0, 2**74 - 1))
def test_a_uuid7_holds_exactly_its_time_and_its_random_bits(millis, random_bits):
    made = uuid7(millis, random_bits)
    number = uuid.UUID(made).int
    assert re.fullmatch(EVENT_ID_PATTERN, made)
    assert number >> 80 == millis
    assert ((number >> 64) & 0xFFF) << 62 | number & (2**62 - 1) == random_bits


def test_the_example_of_rfc_9562_comes_out():
    # RFC 9562, appendix A.6
    assert uuid7(0x017F22E279B0, 0xCC3 << 62 | 0x18C4DC0C0C07398F) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


def test_new_ids_are_of_now_and_differ():
    before = now_millis()
    ids = {new_event_id() for _ in range(1_000)}
    assert len(ids) == 1_000
    assert all(before <= uuid.UUID(each).int >> 80 <= now_millis() for each in ids)


def test_a_piece_of_an_id_that_is_no_uuid_is_refused():
    with pytest.raises(WrongUseError, match="is no UUID"):
        piece_event_id("event-1", 1)


def test_collector_ids_of_two_runs_differ():
    assert new_collector_id("web") != new_collector_id("web")
    assert new_collector_id("web").startswith("web-")
