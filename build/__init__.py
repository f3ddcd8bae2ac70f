"""From images and a checkpoint to a bundle; the command line is ``python -m build``."""
