"""Where to cut a range of numbers, so that people can read it off: at round ones."""

from __future__ import annotations

import sys
from fractions import Fraction
from itertools import product
from math import floor, inf, nextafter

from models.filters import fits

Number = int | float

MOST_BUCKETS = 20


def edges(least: Number, greatest: Number, *, whole: bool) -> list[Number]:
    """The edges of at most ``MOST_BUCKETS`` buckets of equal width, ascending, two at least.

    They are multiples of 1, 2 or 5 times a power of ten, as far as floating point has these.  All
    numbers lie below the last edge, but for the greatest that there is.

    Args:
        least: the smallest of the numbers, finite.
        greatest: the greatest, finite.
        whole: whether no bucket is to be narrower than 1.
    """
    span = Fraction(greatest) - Fraction(least)
    if not span:
        return [least, _above(greatest)]
    # At most a tenth of what a bucket has to be, at least a thousandth.
    power = len(str(span.numerator)) - len(str(span.denominator)) - 3
    for exponent, factor in product(range(power, power + 5), (1, 2, 5)):
        step = max(factor * Fraction(10) ** exponent, Fraction(int(whole)))
        first, last = floor(Fraction(least) / step), floor(Fraction(greatest) / step)
        if last - first < MOST_BUCKETS:
            break
    found = [_number(step * each) for each in range(first, last + 2)]
    # Far from zero some may be the same as floating point has them.
    below = list(dict.fromkeys(edge for edge in found if edge <= greatest))
    above = found[-1] if found[-1] > greatest else _above(greatest)
    return below if len(below) > 1 and above == below[-1] else [*below, above]


def _above(number: Number) -> Number:
    if isinstance(number, int) and fits(number + 1):
        return number + 1
    return min(nextafter(number, inf), sys.float_info.max)


def _number(value: Fraction) -> Number:
    if value.denominator == 1 and fits(value.numerator):
        return value.numerator
    most = Fraction(sys.float_info.max)
    return float(max(-most, min(value, most)))
