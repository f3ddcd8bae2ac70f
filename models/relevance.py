"""Which of the pictures found are worth showing, by a rule relative to each query.

CLIP has no similarity that means "yes".  "A dog" may meet its best picture at 0.31 and
"melancholy" at 0.22, and another model has both at twice that; a flat threshold shows nothing
for one query and everything for the other.  What carries over from query to query, and from
model to model, is where a picture stands *between* two others: the average picture, which the
query does not mean, and the best.  A picture is relevant that has come ``SHARE`` of that way::

    similarity >= background + SHARE * (best - background)

And of nothing at all that lies no nearer than it may by chance: below the bundle's ``floor``, which
96 of 100 queries without a meaning do not reach (:mod:`build.senseless`), a text has no match.

``background`` is the query's mean similarity to all pictures.  It is one product with the mean
of the picture vectors, so the rule costs a microsecond, and it depends neither on how many
results were asked for nor on what else is in the batch.  (With z-scores, which divide by the
query's standard deviation, it is the same rule: the deviation cancels.)

How ``SHARE`` was chosen and what it does: ``docs/relevance.md``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SHARE = 0.7
# As similar as this is the very picture that was asked with, which no other can come near.
_ITSELF = 0.9999


def relevant(
    similarities: NDArray[np.float32], background: float, floor: float | None = None
) -> NDArray[np.bool_]:
    """Which results of one query to show: bool ``[n]``; the best one, unless none comes near.

    Args:
        similarities: of the results, best first, float32 ``[n]``.
        background: the query's mean similarity to all pictures.
        floor: what the best has to reach, for a text; None for what is no text.
    """
    if floor is not None and (similarities[:1] < floor).any():
        return np.zeros(len(similarities), dtype=np.bool_)
    itself = similarities >= _ITSELF
    if itself.all():
        return itself
    best = similarities[~itself][0]
    shown: NDArray[np.bool_] = itself | (similarities >= background + SHARE * (best - background))
    # Where even the best is below the average, nothing is worth more than it.
    shown |= similarities >= best
    return shown
