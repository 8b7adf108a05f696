"""What datasets and jobs are called in OpenLineage events, so that other tools know them again.

Sources of the forms: OpenLineage, "Naming conventions": AWS Glue ``arn:aws:glue:{region}:{account}`` and
``table/{database}/{table}``; Kinesis ``arn:aws:kinesis:{region}:{account}`` and ``stream/{name}``.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from codewave.local.namespace import Namespace
from iceberg.lineage.graph import Dataset

LOCAL: Final = "codewave-local"
"""Namespace of datasets on this machine, which has no account and no region."""
JOBS: Final = "codewave"
"""Namespace of jobs."""


class Naming(Struct, frozen=True):
    """Names of one namespace of the lake, in one place."""

    lake: Namespace
    region: str = ""
    account: str = ""

    def dataset(self, dataset: Dataset) -> tuple[str, str]:
        """The namespace and name of a dataset."""
        if dataset.kind == "table":
            return self._namespace("glue"), f"table/{self.lake.name}/{dataset.name}"
        if dataset.kind == "stream":
            return self._namespace("kinesis"), f"stream/{self.lake.stream}"
        return self._namespace("es"), f"index/{self.lake.index_prefix}{dataset.name}"

    def job(self, job: str) -> tuple[str, str]:
        """The namespace and name of a job."""
        return JOBS, f"{self.lake.name}.{job}"

    def _namespace(self, service: str) -> str:
        return f"arn:aws:{service}:{self.region}:{self.account}" if self.region and self.account else LOCAL


def naming_of(lake: Namespace, catalog_properties: Mapping[str, str]) -> Naming:
    """Names as the catalog's properties give them: Glue's region and account (``glue.id``), else local ones."""
    region = catalog_properties.get("glue.region") or catalog_properties.get("client.region", "")
    return Naming(lake, region, catalog_properties.get("glue.id", ""))
