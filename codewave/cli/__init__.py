"""The ``codewave`` command."""
