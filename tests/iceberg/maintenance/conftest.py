"""What the tests of maintenance share."""

from pathlib import Path

import pytest
from maintained_lake import lake_of

from iceberg.lake import Lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Return a lake with an empty table of notes."""
    return lake_of(tmp_path)
