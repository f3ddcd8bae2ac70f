"""The command ``sightline``: a folder of images to a page that finds them, and each step of it.

Installed, this package holds all the others, too (deploy/wheel.py).
"""
