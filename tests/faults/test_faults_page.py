"""The operators' page lists every fault as the catalogue does."""

import re

from codewave.faults.catalogue import FAULTS
from codewave.local.settings import PROJECT_ROOT

PAGE = PROJECT_ROOT / "docs" / "operator" / "faults.md"


def test_the_page_lists_every_fault_with_what_it_does():
    rows = re.findall(r"^\| `([a-z-]+)` \| (.+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert rows == [(fault.name, fault.summary) for fault in FAULTS]
