"""What the tests of the billing close share."""

import pytest
from billing_lake import FIRST, SECOND, THIRD, BillingLake, Template


def _two_days(lake: BillingLake) -> None:
    lake.run("run-1", "run-2", day=0)
    lake.run("run-3", day=1)
    lake.derive(FIRST, SECOND)


def _three_sealed_days(lake: BillingLake) -> None:
    _two_days(lake)
    for day in (FIRST, SECOND, THIRD):
        lake.close(day)


@pytest.fixture(scope="session")
def _derived(tmp_path_factory: pytest.TempPathFactory) -> Template:
    return Template(tmp_path_factory.mktemp("derived"), _two_days)


@pytest.fixture(scope="session")
def _sealed(tmp_path_factory: pytest.TempPathFactory) -> Template:
    return Template(tmp_path_factory.mktemp("sealed"), _three_sealed_days)


@pytest.fixture
def lake(_derived: Template) -> BillingLake:
    """Two days: two executions on the first, one on the second; derived."""
    return _derived.open()


@pytest.fixture
def sealed(_sealed: Template) -> BillingLake:
    """The same with three days sealed, the last of them empty."""
    return _sealed.open()
