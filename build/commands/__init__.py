"""One module per subcommand of ``python -m build``.

Each has ``configure(parser)`` and ``run(arguments) -> int`` and imports what is
heavy (onnxruntime, torch) inside ``run``, so that ``--help`` answers at once.
"""
