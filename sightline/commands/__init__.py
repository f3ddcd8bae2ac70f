"""One module per subcommand of ``sightline`` that is more than one of the build's.

Each has ``configure(parser)`` and ``run(arguments) -> int``, as those of ``build.commands``.
"""
