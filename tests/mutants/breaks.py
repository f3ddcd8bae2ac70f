"""The ways in which a module can be broken, one small change at a time.

What is changed stands in a function, or is a constant of the module that functions read.  What
Python evaluates while it imports (decorators, defaults of parameters, class bodies) is left
alone: a module is imported once, and broken later.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_COMPUTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
_ANOTHER_TEXT = "XX"


@dataclass(frozen=True, eq=False)
class Site:
    """A node of a tree, and where it hangs."""

    statement: ast.stmt
    parent: ast.AST
    field: str
    index: int | None
    node: ast.AST


@dataclass(frozen=True, eq=False)
class Mutant:
    """One change of one module.

    ``name`` is of use from run to run: it does not change with the lines above.
    """

    name: str
    path: Path
    # Of the function, as ``Class.method``, or of the constant.
    scope: str
    is_constant: bool
    tree: ast.Module
    site: Site
    replacement: ast.AST

    @property
    def lines(self) -> range:
        """Of which a test has to run one to notice: a statement's, or a compound one's head."""
        statement = self.site.statement
        end = statement.end_lineno or statement.lineno
        body = getattr(statement, "body", None)
        if isinstance(body, list):
            end = max(statement.lineno, body[0].lineno - 1)
        return range(statement.lineno, end + 1)

    def apply(self) -> ast.Module:
        """The module's tree with this change, which stays in it: for a process that ends soon."""
        site = self.site
        if site.index is None:
            setattr(site.parent, site.field, self.replacement)
        else:
            getattr(site.parent, site.field)[site.index] = self.replacement
        return ast.fix_missing_locations(self.tree)


def mutants(path: Path, source: str) -> list[Mutant]:
    """All that can be broken in one module, from top to bottom."""
    tree = ast.parse(source)
    found: list[Mutant] = []
    names: dict[str, int] = {}
    for scope, top, is_constant in _scopes(tree.body, ""):
        field = "value" if is_constant else "body"
        for site in _sites(top, field, top):
            for replacement in _replacements(site.node):
                change = f"{_told(site.node)} -> {_told(replacement)}"
                name = f"{path}: {scope}: {change}"
                names[name] = names.get(name, 0) + 1
                if names[name] > 1:
                    name += f" ({names[name]})"
                found.append(Mutant(name, path, scope, is_constant, tree, site, replacement))
    return found


def _scopes(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, ast.stmt, bool]]:
    for statement in body:
        match statement:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield prefix + statement.name, statement, False
            case ast.ClassDef():
                yield from _scopes(statement.body, f"{prefix}{statement.name}.")
            case ast.Assign(targets=[ast.Name(id=name)]) if not prefix:
                yield name, statement, True
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr()) if not prefix:
                yield name, statement, True


def _sites(parent: ast.AST, field: str, statement: ast.stmt) -> Iterator[Site]:
    """Every place below a field of a node."""
    value = getattr(parent, field)
    children = list(enumerate(value)) if isinstance(value, list) else [(None, value)]
    for index, node in children:
        if isinstance(node, ast.AST) and not _is_part_of_a_text(parent, node):
            inner = node if isinstance(node, ast.stmt) else statement
            yield Site(inner, parent, field, index, node)
            for name in node._fields:
                if not _is_left_alone(node, name):
                    yield from _sites(node, name, inner)


def _is_left_alone(node: ast.AST, field: str) -> bool:
    """Types, patterns' own names, and what cannot be told apart by behaviour.

    Assertions tell the type checker what the code knows, ``strict`` of ``zip`` guards against
    ourselves, and a docstring is a comment.
    """
    match node, field:
        case _, "annotation" | "returns" | "decorator_list" | "args" if not isinstance(
            node, ast.Call
        ):
            return True
        case ast.Assert(), _:
            return True
        case ast.Expr(value=ast.Constant()), _:
            return True
        case ast.FormattedValue(), "format_spec":
            return True
        case ast.keyword(arg="strict"), _:
            return True
        case _:
            return False


def _is_part_of_a_text(parent: ast.AST, node: ast.AST) -> bool:
    return isinstance(parent, ast.JoinedStr) and isinstance(node, ast.Constant)


def _replacements(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Constant(value=bool() as value):
            yield ast.Constant(not value)
        case ast.Constant(value=int() | float() as value):
            yield ast.Constant(value + 1)
        case ast.Constant(value=str() as text):
            yield ast.Constant(_ANOTHER_TEXT if text != _ANOTHER_TEXT else "")
        case ast.Constant(value=bytes()):
            yield ast.Constant(_ANOTHER_TEXT.encode())
        case ast.JoinedStr():
            yield ast.Constant(_ANOTHER_TEXT)
        case ast.Compare():
            for index, operator in enumerate(node.ops):
                operators = list(node.ops)
                operators[index] = _COMPARED[type(operator)]()
                yield ast.Compare(node.left, operators, node.comparators)
        case ast.BoolOp():
            other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            yield ast.BoolOp(other, node.values)
        case ast.BinOp(op=operator) if type(operator) in _COMPUTED:
            yield ast.BinOp(node.left, _COMPUTED[type(operator)](), node.right)
        case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.Invert()):
            yield node.operand
        case ast.IfExp():
            yield node.body
            yield node.orelse
        case ast.Slice():
            if node.lower is not None:
                yield ast.Slice(None, node.upper, node.step)
            if node.upper is not None:
                yield ast.Slice(node.lower, None, node.step)
        case ast.comprehension(ifs=[_, *_]):
            yield ast.comprehension(node.target, node.iter, [], node.is_async)
        case ast.Call(keywords=[_, *_]):
            for index, keyword in enumerate(node.keywords):
                if keyword.arg not in (None, "strict"):
                    rest = node.keywords[:index] + node.keywords[index + 1 :]
                    yield ast.Call(node.func, node.args, rest)
        case _:
            yield from _other_statements(node)


def _other_statements(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.If():
            for taken in (True, False):
                yield ast.If(ast.Constant(taken), node.body, node.orelse)
        case ast.While():
            yield ast.While(ast.Constant(False), node.body, node.orelse)
        # True and False have each other, and None is what there is already.
        case ast.Return(value=ast.expr() as value) if not (
            isinstance(value, ast.Constant) and isinstance(value.value, bool | None)
        ):
            yield ast.Return(None)
        case ast.AugAssign(op=operator) if type(operator) in _COMPUTED:
            yield ast.AugAssign(node.target, _COMPUTED[type(operator)](), node.value)
        case ast.Continue():
            yield ast.Break()
        case ast.Expr(value=ast.Constant()):
            # A docstring, or three dots.
            return
        case ast.Expr() | ast.Raise() | ast.Break():
            yield ast.Pass()
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield ast.Pass()


def _told(node: ast.AST) -> str:
    if isinstance(node, ast.If | ast.While):
        told = f"{type(node).__name__.lower()} {ast.unparse(node.test)}"
    elif isinstance(node, ast.comprehension):
        told = ast.unparse(node).strip()
    else:
        told = ast.unparse(node)
    told = " ".join(told.split())
    return told if len(told) <= 120 else f"{told[:117]}..."
