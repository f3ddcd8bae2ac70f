"""Every break of the code is another program, and stands where it says."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.mutants.breaks import Mutant, mutants

ROOT = Path(__file__).resolve().parents[2]


def changed(source: str) -> list[str]:
    """Each mutant of a module, as its source."""
    count = len(mutants(Path("m.py"), source))
    # A mutant alters the tree that it shares with the others.
    return [ast.unparse(mutants(Path("m.py"), source)[number].apply()) for number in range(count)]


def function(body: str) -> str:
    return "def f(a, b):\n    " + body.replace("\n", "\n    ")


@pytest.mark.parametrize(
    ("body", "broken"),
    [
        ("return", []),
        ("pass", []),
        ("return a", ["return"]),
        ("return 7", ["return", "return 8"]),
        ("return 0.5", ["return", "return 1.5"]),
        ("return True", ["return False"]),
        ("return None", []),
        ("return 0", ["return", "return 1"]),
        ("return 'x'", ["return", "return 'XX'"]),
        ("return b'x'", ["return", "return b'XX'"]),
        ("return f'x{a + b}'", ["return", "return 'XX'", "return f'x{a - b}'"]),
        ("return f'{a:.3f}'", ["return", "return 'XX'"]),
        ("return a < b", ["return", "return a <= b"]),
        ("return a in b", ["return", "return a not in b"]),
        ("return a and b", ["return", "return a or b"]),
        ("return not a", ["return", "return a"]),
        ("return a // b", ["return", "return a * b"]),
        ("return a if b else 1", ["return", "return a", "return 1", "return a if b else 2"]),
        ("return a[b:]", ["return", "return a[:]"]),
        ("return a[:b]", ["return", "return a[:]"]),
        (
            "return [x for x in a if x]",
            ["return", "return [x for x in a]"],
        ),
        ("return a(b, c=b)", ["return", "return a(b)"]),
        ("return zip(a, b, strict=True)", ["return"]),
        ("a += 1", ["a -= 1", "a += 2"]),
        ("a.x = b", ["pass"]),
        ("a = b", []),
        ("a(b)", ["pass"]),
        ("raise a", ["pass"]),
        ("assert a == 1, 'x'", []),
        ("'''Told.'''", []),
        ("x: int = 1", ["x: int = 2"]),
        ("if a:\n    b()", ["if True:\n    b()", "if False:\n    b()", "if a:\n    pass"]),
        ("while a:\n    break", ["while False:\n    break", "while a:\n    pass"]),
        ("for a in b:\n    continue", ["for a in b:\n    break"]),
    ],
)
def test_a_function_is_broken_in_every_way_once(body: str, broken: list[str]) -> None:
    expected = sorted(ast.unparse(ast.parse(function(each))) for each in broken)
    assert sorted(changed(function(body))) == expected


@pytest.mark.parametrize(
    "source",
    [
        "@decorated(1)\ndef f(a: int = 1) -> 'x':\n    pass",
        "class A:\n    b = 1\n    def f(self, a=2): ...",
        "'''A module.'''\nimport a\nif a:\n    b = 1",
    ],
)
def test_what_python_runs_while_it_imports_is_left_alone(source: str) -> None:
    assert changed(source) == []


def test_a_mutant_knows_where_it_is() -> None:
    source = (
        "N = 1\nclass A:\n    def f(self):\n        return (\n            1\n        )\n"
        "def g(a):\n    if (\n        a == 1\n    ):\n        return 2\n    return 1\n"
    )

    def told(mutant: Mutant) -> tuple[str, bool, range]:
        return mutant.name, mutant.is_constant, mutant.lines

    assert [told(mutant) for mutant in mutants(Path("m.py"), source)] == [
        ("m.py: N: 1 -> 2", True, range(1, 2)),
        ("m.py: A.f: return 1 -> return", False, range(4, 7)),
        ("m.py: A.f: 1 -> 2", False, range(4, 7)),
        ("m.py: g: if a == 1 -> if True", False, range(8, 11)),
        ("m.py: g: if a == 1 -> if False", False, range(8, 11)),
        ("m.py: g: a == 1 -> a != 1", False, range(8, 11)),
        ("m.py: g: 1 -> 2", False, range(8, 11)),
        ("m.py: g: return 2 -> return", False, range(11, 12)),
        ("m.py: g: 2 -> 3", False, range(11, 12)),
        ("m.py: g: return 1 -> return", False, range(12, 13)),
        ("m.py: g: 1 -> 2 (2)", False, range(12, 13)),
    ]


def test_every_name_is_another() -> None:
    for path in (*ROOT.glob("serving/*.py"), *ROOT.glob("models/*.py")):
        names = [mutant.name for mutant in mutants(path, path.read_text("utf-8"))]
        assert len(names) == len(set(names))
