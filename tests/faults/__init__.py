"""Faults, with the real processor as a program: short in CI, longer as `python -m tests.faults.<name> --help` says."""
