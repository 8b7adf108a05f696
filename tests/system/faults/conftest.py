"""What the fault tests share."""

from collections.abc import Iterator
from random import Random

import pytest

from codewave.faults.fault import Proxies, Scene
from codewave.local.jobs import start_job
from codewave.local.namespace import Namespace
from codewave.local.settings import LocalSettings


@pytest.fixture
def scene(shared_stack: LocalSettings, fresh_namespace: Namespace) -> Iterator[Scene]:
    """A namespace whose job runs and reaches everything through proxies."""
    with Proxies(shared_stack) as proxies:
        start_job(shared_stack, fresh_namespace, parallelism=2, overrides=proxies.overrides)
        yield Scene(settings=shared_stack, namespace=fresh_namespace, proxies=proxies, random=Random(5))
