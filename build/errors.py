"""The error that a user of the command line is meant to read."""


class BuildError(Exception):
    """The build cannot go on; the message says what is wrong, where, and what to do."""
