"""Which of the images found are worth showing, by a rule relative to each query.

CLIP has no similarity that means "yes".  "A dog" may meet its best image at 0.31 and
"melancholy" at 0.22, and another model has both at twice that; a flat threshold shows nothing
for one query and everything for the other.  What carries over from query to query, and from
model to model, is where an image stands *between* two others: the average image, which the
query does not mean, and the best.  An image is relevant that has come ``SHARE`` of that way::

    similarity >= background + SHARE * (best - background)

And of nothing at all that lies no nearer than it may by chance: below the bundle's ``floor``, which
96 of 100 queries without a meaning do not reach (:mod:`build.senseless`), a text has no match.

Where the whole collection is what was asked for, "a dog" of nine images of dogs, that rule would
fold most of it away: the average image is as good as any.  So a text is measured by another one,
how near the names of things usually come to the average image.  It means the whole collection
where the average image has come ``_OF_ALL`` of the way from there to the best, and no name of a
thing lies much nearer to it; or where it has all but reached the best, as with copies of one
image.  Then all are relevant that have come ``_SHARE_OF_ALL`` of that way.

``background`` is the query's mean similarity to all images.  It is one product with the mean
of the image vectors, so the rule costs a microsecond, and it depends neither on how many
results were asked for nor on what else is in the batch.  (With z-scores, which divide by the
query's standard deviation, it is the same rule: the deviation cancels.)

How these were chosen and what they do: ``docs/relevance.md``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.manifest import SubjectFacts

SHARE = 0.7
_OF_ALL = 0.4
_AS_NEAR_AS_ANY = 0.9
_ALL_BUT_THERE = 0.85
_SHARE_OF_ALL = 0.2
# As similar as this is the very image that was asked with, which no other can come near.
_ITSELF = 0.9999


def relevant(
    similarities: NDArray[np.float32],
    background: float,
    floor: float | None = None,
    subject: SubjectFacts | None = None,
) -> NDArray[np.bool_]:
    """Which results of one query to show: bool ``[n]``; the best one, unless none comes near.

    Args:
        similarities: of the results, best first, float32 ``[n]``.
        background: the query's mean similarity to all images.
        floor: what the best has to reach, for a text; None for what is no text.
        subject: how near texts come to the average image; None for what is no text.
    """
    if floor is not None and (similarities[:1] < floor).any():
        return np.zeros(len(similarities), dtype=np.bool_)
    itself = similarities >= _ITSELF
    if itself.all():
        return itself
    best = similarities[~itself][0]
    least = background + SHARE * (best - background)
    if subject is not None and _means_all(background, float(best), subject):
        least = min(least, subject.usual + _SHARE_OF_ALL * (best - subject.usual))
    shown: NDArray[np.bool_] = itself | (similarities >= least)
    # Where even the best is below the average, nothing is worth more than it.
    shown |= similarities >= best
    return shown


def _means_all(background: float, best: float, subject: SubjectFacts) -> bool:
    """Whether a text means the whole collection."""
    way = background - subject.usual
    if way <= 0:
        return False
    near = way >= _AS_NEAR_AS_ANY * (subject.most - subject.usual)
    far = best - subject.usual
    return way >= _ALL_BUT_THERE * far or (near and way >= _OF_ALL * far)
