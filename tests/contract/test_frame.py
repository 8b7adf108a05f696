"""Records: what is framed comes back, and what cannot be unframed is refused with its reason."""

import json
from collections.abc import Callable

import msgspec
import pytest
import zstandard
from hypothesis import example, given, settings
from hypothesis import strategies as st

from codewave.contract.frame import FrameError, Header, frame, unframe
from codewave.contract.limits import Limits
from codewave.contract.reasons import Reason

EVENT = b'{"type":"chat.posted","text":"hi"}'
LINES = [EVENT, b'{"type":"chat.posted","text":"\xf0\x9f\x8e\x89"}']
SMALL = Limits(record_bytes=2000, decompressed_bytes=1000, record_events=5, header_bytes=300)


def header(count: int = 2, encoding: str = "zstd", **other: object) -> Header:
    fields = {"v": 1, "room_id": "room-7", "collector": "collector-1", "batch": 1, "sent_at": 1_767_225_600_000}
    return msgspec.convert(fields | {"count": count, "encoding": encoding} | other, Header)


def with_body(body: bytes, *, count: int = 2, encoding: str = "zstd") -> bytes:
    """A record whose body is given as it is."""
    return msgspec.json.encode(header(count, encoding)) + b"\n" + body


def header_line(**other: object) -> bytes:
    """A header written by someone else: keys in another order, spaces between them; ``None`` leaves a key out."""
    fields = dict(reversed(msgspec.to_builtins(header(encoding="identity")).items())) | other
    return json.dumps({key: value for key, value in fields.items() if value is not None}).encode()


def streamed(data: bytes, *, window_log: int = 20) -> bytes:
    """Compress as a stream does, without declaring the size."""
    parameters = zstandard.ZstdCompressionParameters.from_level(3, window_log=window_log, write_content_size=False)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    return compressor.compress(data) + compressor.flush()


def refusal(record: bytes, limits: Limits = SMALL) -> Reason:
    with pytest.raises(FrameError) as caught:
        unframe(record, limits)
    assert str(caught.value)
    return caught.value.reason


# What is framed comes back.

json_lines = st.lists(st.recursive(st.text() | st.integers(), st.lists, max_leaves=4).map(msgspec.json.encode))


@given(lines=json_lines, encoding=st.sampled_from(["zstd", "identity"]), batch=st.integers(0, 2**63 - 1))
def test_what_is_framed_comes_back(lines: list[bytes], encoding: str, batch: int) -> None:
    sent = header(len(lines), encoding, batch=batch)
    assert unframe(frame(sent, lines)) == (sent, lines)


def test_the_header_is_readable_without_decompression() -> None:
    first_line = frame(header(), LINES).split(b"\n")[0]
    assert json.loads(first_line)["room_id"] == "room-7"


def test_framing_refuses_a_header_that_counts_other_events() -> None:
    with pytest.raises(ValueError, match="header counts 3 events, given are 2"):
        frame(header(3), LINES)


@pytest.mark.parametrize("compress", [zstandard.ZstdCompressor(write_content_size=True).compress, streamed])
@pytest.mark.parametrize("data", [b"", b"1", b"\n".join(LINES)])
def test_a_body_may_or_may_not_declare_its_size(compress: Callable[[bytes], bytes], data: bytes) -> None:
    lines = data.split(b"\n") if data else []
    assert unframe(with_body(compress(data), count=len(lines)))[1] == lines


def test_a_compression_checksum_is_accepted() -> None:
    body = zstandard.ZstdCompressor(write_checksum=True).compress(EVENT)
    assert unframe(with_body(body, count=1))[1] == [EVENT]


def test_empty_lines_are_no_events() -> None:
    assert unframe(with_body(b"\n1\n\n2\n", encoding="identity"))[1] == [b"1", b"2"]


def test_unknown_header_fields_are_ignored() -> None:
    found, lines = unframe(header_line(region="eu") + b"\n1\n2")
    assert (found, lines) == (header(encoding="identity"), [b"1", b"2"])


# Events without a header.


@pytest.mark.parametrize(
    "record",
    [
        EVENT,
        EVENT + b"\n",
        b'{\n  "type": "chat.posted"\n}\n',
        b'{"type":"chat.posted","v":3}',
        b"noise",
        b"\xff\xfe",
        b"",
    ],
)
def test_a_record_without_a_header_is_one_event_as_it_came(record: bytes) -> None:
    assert unframe(record) == (None, [record])


def test_space_before_a_bare_event_is_no_part_of_it() -> None:
    assert unframe(b" \r\n\t" + EVENT) == (None, [EVENT])


def test_a_bare_array_holds_events() -> None:
    assert unframe(b' [ {"a": [1,\n2]},3 , "x"]\n') == (None, [b'{"a": [1,\n2]}', b"3", b'"x"'])


def test_a_bare_array_may_be_empty() -> None:
    assert unframe(b"[]") == (None, [])


@pytest.mark.parametrize("record", [b"[1,", b"[1]2", b"[" * 1000, b'["\xff"'])
def test_a_broken_array_is_one_event_that_the_json_decoder_will_refuse(record: bytes) -> None:
    assert unframe(record) == (None, [record])


def test_a_bare_event_longer_than_a_header_is_an_event() -> None:
    record = b'{"type":"chat.posted","text":"' + b"x" * 1000 + b'"}\n'
    assert unframe(record, SMALL) == (None, [record])


# A header whose keys come in another order is a header.


def test_a_header_is_known_whatever_its_first_key() -> None:
    assert unframe(header_line() + b"\n1\n2") == (header(encoding="identity"), [b"1", b"2"])


def test_space_before_a_header_is_skipped() -> None:
    assert unframe(b"\r\n " + header_line() + b"\n1\n2") == (header(encoding="identity"), [b"1", b"2"])


BAD_FRAMES = {
    "a header alone": header_line(),
    "a header alone, v first": b'{"v":1}',
    "no room": header_line(room_id=None) + b"\n1\n2",
    "room is empty": header_line(room_id="") + b"\n1\n2",
    "version of the future": header_line(v=2) + b"\n1\n2",
    "version 0": header_line(v=0) + b"\n1\n2",
    "another encoding": header_line(encoding="gzip") + b"\n1\n2",
    "negative count": header_line(count=-1) + b"\n1\n2",
    "count is a float": header_line(count=2.5) + b"\n1\n2",
    "counts more than there are": header_line(count=3) + b"\n1\n2",
    "counts fewer than there are": header_line(count=1) + b"\n1\n2",
    "no version": header_line(v=None) + b"\n1\n2",
    "several events without a header": EVENT + b"\n" + EVENT,
    "header cut short": b'{"v":1,"room_id":"room-7"\n1\n2',
    "header is not UTF-8": b'{"v":1,"room_id":"\xff"}\n1\n2',
    "header nested too deeply": b'{"v":1,"x":' + b"[" * 2000 + b"\n1\n2",
    "header that never ends": b'{"v":1,"x":"' + b"x" * 10_000,
}


@pytest.mark.parametrize("record", BAD_FRAMES.values(), ids=BAD_FRAMES)
def test_a_record_whose_header_is_wrong_is_a_bad_frame(record: bytes) -> None:
    assert refusal(record, Limits()) is Reason.BAD_FRAME


def test_a_header_beyond_its_limit_is_a_bad_frame() -> None:
    assert refusal(b'{"v":1,"x":"' + b"x" * 300 + b'"}\n1') is Reason.BAD_FRAME


# Too large.


def test_a_record_of_the_largest_size_passes_and_one_byte_more_is_too_large() -> None:
    record = EVENT.ljust(2000)
    assert unframe(record, SMALL) == (None, [record])
    assert refusal(record + b" ") is Reason.TOO_LARGE


@pytest.mark.parametrize("encoding", ["zstd", "identity"])
def test_a_record_of_too_many_events_is_too_large(encoding: str) -> None:
    assert len(unframe(frame(header(5, encoding), [b"1"] * 5), SMALL)[1]) == 5
    assert refusal(frame(header(6, encoding), [b"1"] * 6)) is Reason.TOO_LARGE


def test_an_array_of_too_many_events_is_too_large() -> None:
    assert len(unframe(b"[1,2,3,4,5]", SMALL)[1]) == 5
    assert refusal(b"[1,2,3,4,5,6]") is Reason.TOO_LARGE


# Decompression.

COMPRESSED = zstandard.ZstdCompressor(write_content_size=True).compress(b"\n".join(LINES))
SKIPPABLE = b"\x50\x2a\x4d\x18" + (4).to_bytes(4, "little") + b"skip"
BROKEN_BODIES = {
    "nothing": b"",
    "no zstd": b"\n".join(LINES),
    "cut short": COMPRESSED[:-1],
    "only its first bytes": COMPRESSED[:6],
    "bytes after the frame": COMPRESSED + b"x",
    "two frames": COMPRESSED + COMPRESSED,
    "an empty frame after it": COMPRESSED + zstandard.ZstdCompressor().compress(b""),
    "a frame after an empty one": zstandard.ZstdCompressor().compress(b"") + COMPRESSED,
    "a skippable frame before it": SKIPPABLE + COMPRESSED,
    "a skippable frame after it": COMPRESSED + SKIPPABLE,
    "streamed and cut short": streamed(b"\n".join(LINES))[:-1],
    "streamed, bytes after it": streamed(b"\n".join(LINES)) + b"x",
    "streamed twice": streamed(EVENT) + streamed(EVENT),
    "nothing but an empty frame cut short": zstandard.ZstdCompressor().compress(b"")[:-1],
    "streamed, nothing, cut short": streamed(b"")[:-1],
    "window beyond 8 MiB": streamed(b"\n".join(LINES), window_log=24),
}


@pytest.mark.parametrize("body", BROKEN_BODIES.values(), ids=BROKEN_BODIES)
def test_a_body_that_is_not_one_whole_zstd_frame_fails_decompression(body: bytes) -> None:
    assert refusal(with_body(body)) is Reason.DECOMPRESSION_FAILED


def test_a_flipped_bit_under_a_compression_checksum_fails_decompression() -> None:
    body = bytearray(zstandard.ZstdCompressor(write_checksum=True).compress(b"\n".join(LINES)))
    body[-1] ^= 1
    assert refusal(with_body(bytes(body))) is Reason.DECOMPRESSION_FAILED


def declaring(size: int, actual: bytes) -> bytes:
    """A frame that holds ``actual`` (256 to 65,000 bytes) and declares ``size`` in its two-byte field."""
    body = bytearray(zstandard.ZstdCompressor(write_content_size=True).compress(actual))
    assert body[4] >> 6 == 1, "the frame header's content size takes two bytes"
    body[5:7] = (size - 256).to_bytes(2, "little")
    return bytes(body)


@pytest.mark.parametrize("declared", [256, 799, 801, 1000])
def test_a_body_that_lies_about_its_size_fails_decompression(declared: int) -> None:
    assert unframe(with_body(declaring(800, b"x" * 800), count=1), SMALL)[1] == [b"x" * 800]
    assert refusal(with_body(declaring(declared, b"x" * 800), count=1)) is Reason.DECOMPRESSION_FAILED


def test_a_body_that_lies_itself_beyond_the_limit_is_a_bomb() -> None:
    assert refusal(with_body(declaring(1001, b"x" * 800), count=1)) is Reason.DECOMPRESSION_BOMB


@pytest.mark.parametrize("compress", [zstandard.ZstdCompressor(write_content_size=True).compress, streamed])
def test_the_largest_body_passes_and_one_byte_more_is_a_bomb(compress: Callable[[bytes], bytes]) -> None:
    assert unframe(with_body(compress(b"x" * 1000), count=1), SMALL)[1] == [b"x" * 1000]
    assert refusal(with_body(compress(b"x" * 1001), count=1)) is Reason.DECOMPRESSION_BOMB


# Whatever comes, a record is unframed or refused.

VALID = [frame(header(encoding=encoding), LINES) for encoding in ("zstd", "identity")] + [
    with_body(streamed(b"\n".join(LINES))),
    header_line() + b"\n1\n2",
    b"[" + b",".join(LINES) + b"]",
    EVENT,
]


def unframes_or_refuses(record: bytes) -> None:
    """Any other exception than FrameError fails the test."""
    try:
        found, lines = unframe(record, SMALL)
    except FrameError:
        return
    assert found is None or found.count == len(lines)
    assert all(isinstance(line, bytes) for line in lines)


@given(record=st.binary(max_size=300))
@example(b"{" * 2000)
@example(b'{"v":' + b"[" * 1990)
def test_random_bytes_are_unframed_or_refused(record: bytes) -> None:
    unframes_or_refuses(record)


@given(body=st.binary(max_size=300), count=st.integers(0, 3))
def test_a_random_body_is_unframed_or_refused(body: bytes, count: int) -> None:
    unframes_or_refuses(with_body(body, count=count))
    unframes_or_refuses(with_body(b"\x28\xb5\x2f\xfd" + body, count=count))
    unframes_or_refuses(with_body(body, count=count, encoding="identity"))


@settings(max_examples=500)
@given(
    record=st.sampled_from(VALID),
    changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=4),
    cut=st.integers(0, 400),
)
def test_a_damaged_record_is_unframed_or_refused(record: bytes, changes: list[tuple[int, int]], cut: int) -> None:
    damaged = bytearray(record)
    for at, byte in changes:
        damaged[at % len(damaged)] = byte
    unframes_or_refuses(bytes(damaged))
    unframes_or_refuses(bytes(damaged[:cut]))
