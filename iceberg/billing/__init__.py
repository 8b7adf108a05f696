"""The billing close: a day of the ledger is checked against everything it is made from, and sealed by a hash."""

from iceberg.billing.chain import ChainReport, verify_chain
from iceberg.billing.close import close_day
from iceberg.billing.refusal import CloseRefusedError, Refusal
from iceberg.billing.seal import Seal, read_seals
from iceberg.billing.status import BillingStatus, billing_status

__all__ = [
    "BillingStatus",
    "ChainReport",
    "CloseRefusedError",
    "Refusal",
    "Seal",
    "billing_status",
    "close_day",
    "read_seals",
    "verify_chain",
]
