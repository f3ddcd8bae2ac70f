"""Breaks one line at a time and looks whether a test notices: ``make mutants``, docs/mutants.md."""
