"""The page of tables is what their folders say."""

from iceberg.definition import read_definitions
from iceberg.page import PAGE, tables_page


def test_the_committed_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == tables_page(read_definitions()), "run `python -m iceberg.page`"
