"""A record cannot make its reader allocate much more than the 16 MiB that a decompressed record may have.

zstd allocates outside Python, so each record is unframed in a process of its own, whose peak memory (``VmHWM``) is
compared before and after.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from codewave.contract.limits import DEFAULT_LIMITS, MIB

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")

LIMIT_MIB = 16
MARGIN_MIB = 3
"""The record itself and its body (1 MiB each), zstd's buffers (0.3 MiB) and what the allocator rounds up."""
WINDOW_MIB = 8

MEASURE = """
import re, sys
from pathlib import Path
from codewave.contract.frame import FrameError, Header, frame, unframe

def peak_kib():
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])

small = frame(Header(1, "room-7", 1, "zstd", "collector-1", 1, 0), [b"1"])
unframe(small)  # loads what is loaded once
record = Path(sys.argv[1]).read_bytes()
before = peak_kib()
try:
    unframe(record)
    verdict = "unframed"
except FrameError as error:
    verdict = str(error.reason)
print(verdict, (peak_kib() - before) / 1024)
"""
HEADER = b'{"v":1,"room_id":"room-7","count":1,"encoding":"%s","collector":"c","batch":1,"sent_at":0}\n'


def peak_of(record: bytes, folder: Path) -> tuple[str, float]:
    """Unframe in a process of its own: the verdict, and by how many MiB its peak memory grew."""
    assert len(record) <= DEFAULT_LIMITS.record_bytes
    path = folder / "record"
    path.write_bytes(record)
    run = subprocess.run([sys.executable, "-c", MEASURE, path], capture_output=True, text=True, check=True, timeout=60)
    verdict, grown = run.stdout.split()
    return verdict, float(grown)


def zeros(mebibytes: int, *, size: int = -1, window_log: int = 23) -> bytes:
    """Compress zeros piece by piece; a ``size`` of -1 declares none."""
    parameters = zstandard.ZstdCompressionParameters.from_level(3, window_log=window_log)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj(size=size)
    piece = bytes(MIB)
    return b"".join(compressor.compress(piece) for _ in range(mebibytes)) + compressor.flush()


def declared(mebibytes: int) -> bytes:
    return zeros(mebibytes, size=mebibytes * MIB)


def undeclared(mebibytes: int, *, window_log: int = 23) -> bytes:
    return zeros(mebibytes, window_log=window_log)


def lying() -> bytes:
    """Declares 16 MiB in its four-byte field and holds 256."""
    body = bytearray(declared(256))
    assert body[4] >> 6 == 2, "the frame header's content size takes four bytes"
    at = 5 if body[4] & 0x20 else 6  # behind the window byte, where there is one
    body[at : at + 4] = (LIMIT_MIB * MIB).to_bytes(4, "little")
    return bytes(body)


REFUSED: dict[str, tuple[Callable[[], bytes], str, float]] = {
    "a bomb that declares 1 GiB": (lambda: declared(1024), "decompression_bomb", 0),
    "a bomb that declares nothing": (lambda: undeclared(1024), "decompression_bomb", WINDOW_MIB),
    "a bomb that declares less than it holds": (lying, "decompression_failed", LIMIT_MIB),
    "a window of 128 MiB": (lambda: undeclared(1, window_log=27), "decompression_failed", 0),
    "a window of 2 GiB": (lambda: undeclared(1, window_log=31), "decompression_failed", 0),
}


@pytest.mark.parametrize(("body", "verdict", "most_mib"), REFUSED.values(), ids=REFUSED)
def test_a_bomb_is_refused_within_16_mib(
    body: Callable[[], bytes], verdict: str, most_mib: float, tmp_path: Path
) -> None:
    found, grown = peak_of(HEADER % b"zstd" + body(), tmp_path)
    assert found == verdict
    assert grown < most_mib + MARGIN_MIB


def test_line_breaks_do_not_become_a_long_list(tmp_path: Path) -> None:
    body = zstandard.ZstdCompressor(write_content_size=True).compress(b"1\n" * (LIMIT_MIB * MIB // 2))
    verdict, grown = peak_of(HEADER % b"zstd" + body, tmp_path)
    assert verdict == "too_large"
    # The body, once more as the last piece of the bounded split, and 80,000 pieces of 8 bytes a reference.
    assert grown < 2 * LIMIT_MIB + MARGIN_MIB


@pytest.mark.parametrize("compress", [declared, undeclared])
def test_the_largest_body_takes_itself_and_at_most_the_window(compress: Callable[[int], bytes], tmp_path: Path) -> None:
    verdict, grown = peak_of(HEADER % b"zstd" + compress(LIMIT_MIB), tmp_path)
    assert verdict == "unframed"
    assert grown < LIMIT_MIB + WINDOW_MIB + MARGIN_MIB


def test_an_array_of_nothing_but_commas_stays_small(tmp_path: Path) -> None:
    verdict, grown = peak_of(b"[" + b"1," * 500_000 + b"1]", tmp_path)
    assert verdict == "too_large"
    # 500,000 references to pieces of the record, about 56 bytes each, before they are counted and refused.
    assert grown < 40
