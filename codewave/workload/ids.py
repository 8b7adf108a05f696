"""Ids and random numbers of a workload: all derived from its seed, so that a seed names one workload."""

import hashlib
import random
import re


def random_for(*parts: object) -> random.Random:
    """A source of random numbers of its own for what ``parts`` name; the same parts give the same numbers."""
    return random.Random("/".join(map(str, parts)))  # noqa: S311 - a reproducible workload, not a secret


def token_for(*parts: object) -> str:
    """Eight hexadecimal digits that stand for ``parts`` inside ids."""
    return hashlib.blake2s("/".join(map(str, parts)).encode(), digest_size=4).hexdigest()


def slug(text: str, length: int) -> str:
    """``text`` in the characters that an id may have, at most ``length`` of them; never empty."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-")[:length] or "x"
