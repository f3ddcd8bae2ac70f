"""What images say of themselves: XMP, IPTC and EXIF, in their files and in those beside them.

Each reader gives *fields* by the names that a bundle has for them:

- ``caption``, ``alt_text``, ``extended_description``, ``headline``, ``title``: texts;
- ``keywords``, ``creator``, ``people``: lists of texts;
- ``credit``, ``copyright``, ``location``, ``city``, ``state``, ``country``, ``camera``, ``lens``:
  texts;
- ``taken_at``: as much of ``2019-07-04T12:30:00`` as is known, by the clock of the place;
- ``rating``: 0 to 5, or -1 for what was rejected;
- only with ``--metadata all``: ``exposure_seconds``, ``aperture``, ``iso``,
  ``focal_length_mm``, ``software``, ``latitude`` and ``longitude`` in degrees.
"""

from __future__ import annotations

from typing import Any

Fields = dict[str, Any]

# Where an image was taken tells where somebody lives: it is given to nobody who did not ask.
ONLY_WITH_ALL = frozenset(
    {
        "exposure_seconds",
        "aperture",
        "iso",
        "focal_length_mm",
        "software",
        "latitude",
        "longitude",
    }
)
