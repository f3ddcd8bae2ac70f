"""Write ``queries.txt``: 2,000 distinct queries of natural length, for the benchmark.

They are put together from the lists below, which were written for this purpose, so the
file has no other origin and no other licence than the project's.  Lengths follow what
people type into image searches: most have two to eight words, some are a sentence, a
few are a paragraph that fills CLIP's 77 tokens.

    python -m benchmarks.make_queries
"""

from __future__ import annotations

import random
from pathlib import Path

QUERIES = Path(__file__).parent / "queries.txt"
COUNT = 2000

THINGS = """fox, dog, black cat, horse, owl, elephant, tiger, rabbit, swan, butterfly, old woman,
child, fisherman, nurse, chef, dancer, cyclist, firefighter, wedding couple, football team, crowd,
red car, steam train, sailing boat, bicycle, tram, helicopter, tractor, lighthouse, stone bridge,
cathedral, skyscraper, wooden cabin, windmill, castle, market stall, library, kitchen, empty street,
railway station, waterfall, snowy mountain, desert, beach, forest path, lake, field of sunflowers,
thunderstorm, rainbow, full moon, apple pie, bowl of soup, birthday cake, cup of coffee, loaf of bread,
basket of oranges, glass of wine, acoustic guitar, violin, piano, drum kit, trumpet, typewriter,
wrist watch, pair of scissors, umbrella, leather armchair, vase of tulips, oil lamp, old map,
chess board, kite, hot air balloon, fountain, statue, neon sign, newspaper, suitcase, camera,
telescope""".replace("\n", " ").split(", ")

LOOKS = """small, huge, broken, shiny, rusty, colourful, abandoned, crowded, blurred, golden, frozen,
hand-made, antique, modern, striped, sleeping, running, smiling, lonely, wet""".replace(
    "\n", " "
).split(", ")

PLACES = """in the snow, by the sea, at night, in the rain, on a wooden table, in front of a brick wall,
under a blue sky, in the fog, seen from above, in black and white, at sunset, in a busy city,
on a green meadow, next to a window, in spring, behind a fence, on a white background,
in the morning light, at a harbour, in the 1960s""".replace("\n", " ").split(", ")

FRAMES = [
    "{thing}",
    "{look} {thing}",
    "a {look} {thing}",
    "{thing} {place}",
    "a {thing} {place}",
    "a {look} {thing} {place}",
    "a photo of a {look} {thing} {place}",
    "a {thing} and a {other} {place}",
    "two people looking at a {look} {thing} {place}",
    "close-up of a {look} {thing} with a {other} in the background",
    "is there a picture of a {thing} {place}?",
    "a drawing of a {look} {thing} beside a {look2} {other} {place}",
]
SENTENCES = [
    "We need a wide picture of a {look} {thing} {place} that leaves room for a headline on the left.",
    "Somebody carries a {thing} past a {look} {other} {place}, and nobody turns round to look.",
    "The light should be soft, and a {look} {thing} should be the only thing in focus {place}.",
    "No text, no logo, just a {thing}, perhaps with a {look} {other} {place}.",
]
# Short ones are typed more often than long ones.
FRAME_WEIGHTS = [2, 4, 6, 7, 8, 7, 2, 1, 1, 1, 2, 1]
# How often each kind of query is drawn: a phrase, a sentence, several of them.
WEIGHTS = {"frame": 95, "sentence": 4, "paragraph": 1}


def make_queries(count: int = COUNT, seed: int = 0) -> list[str]:
    """``count`` distinct queries, the same for the same seed."""
    chance = random.Random(seed)
    found: dict[str, None] = {}
    while len(found) < count:
        kind = chance.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        if kind == "frame":
            query = _fill(chance.choices(FRAMES, FRAME_WEIGHTS)[0], chance)
        elif kind == "sentence":
            query = _fill(chance.choice(SENTENCES), chance)
        else:
            sentences = chance.sample(SENTENCES, chance.choice([2, 3, 4]))
            query = " ".join(_fill(sentence, chance) for sentence in sentences)
        found[query] = None
    return list(found)


def _fill(frame: str, chance: random.Random) -> str:
    thing, other = chance.sample(THINGS, 2)
    look, look2 = chance.sample(LOOKS, 2)
    return frame.format(
        thing=thing, other=other, look=look, look2=look2, place=chance.choice(PLACES)
    )


if __name__ == "__main__":
    QUERIES.write_text("\n".join(make_queries()) + "\n", encoding="utf-8")
