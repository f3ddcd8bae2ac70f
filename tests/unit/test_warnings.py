"""Nothing is silenced without a reason: each place that does so says which warning, and why.

The reason is a comment right above that begins with ``# Harmless:``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.own_files import ROOT, own_files

REASON = re.compile(r"\s*# Harmless: \S+ \S+")
# Whatever these are called on, and with whatever arguments.
CALLS = {
    "setLevel",
    "addFilter",
    "captureWarnings",
    "logging.disable",
    "disable_progress_bar",
    "disable_progress_bars",
    "set_verbosity",
    "set_verbosity_error",
    "set_verbosity_warning",
    "redirect_stderr",
    "redirect_stdout",
}
# Of these there are too many to be named by the class alone.
GENERAL = {"Warning", "UserWarning", "DeprecationWarning", "FutureWarning", "RuntimeWarning"}
ASSIGNED = {"log_severity_level", "log_verbosity_level", "propagate", "disabled"}
NAMED = {"subprocess.DEVNULL", "os.devnull"}
VARIABLES = re.compile(
    r"PYTHONWARNINGS|\w+_VERBOSITY|HF_HUB_DISABLE_\w+|TF_CPP_MIN_LOG_LEVEL|GLOG_minloglevel"
)
# In files that are not Python: a Makefile, scripts, settings.
ELSEWHERE = re.compile(
    r"/dev/null|-W ?ignore|\|\| *(true|:)|2>&-|\bignore:|disable_warnings|" + VARIABLES.pattern
)


def silencers(tree: ast.Module) -> Iterator[tuple[ast.AST, str]]:
    """What hides a warning or a message, with what is wrong with it besides a lack of reasons."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from ((node, told) for told in silencing_call(node))
        elif isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = {each.attr for each in targets if isinstance(each, ast.Attribute)}
            yield from ((node, "") for _ in names & ASSIGNED)
        elif isinstance(node, ast.Attribute) and ast.unparse(node) in NAMED:
            yield node, ""
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from ((node, "") for _ in [1] if VARIABLES.fullmatch(node.value))


def silencing_call(call: ast.Call) -> Iterator[str]:
    name = ast.unparse(call.func)
    short = name.rpartition(".")[2]
    given = {each.arg: each.value for each in call.keywords}
    action = call.args[0] if call.args else given.get("action")
    hides = isinstance(action, ast.Constant) and action.value in ("ignore", "once", "module")
    if short == "filterwarnings" and name.startswith("pytest."):
        yield from ("",) if "ignore" in ast.unparse(call) else ()
    elif short == "filterwarnings" and hides:
        category = ast.unparse(given["category"]) if "category" in given else "Warning"
        yield "" if "message" in given or category not in GENERAL else "name its message"
    elif short in ("simplefilter", "catch_warnings") and (hides or "record" in given):
        yield "take filterwarnings, with message= and category="
    elif short == "errstate" or name in CALLS or short in CALLS:
        yield ""


def has_reason(lines: list[str], row: int) -> bool:
    """Whether the comment that ends above line ``row``, from 1, is a reason."""
    for line in reversed(lines[: row - 1]):
        if not line.lstrip().startswith("#"):
            return False
        if REASON.match(line):
            return True
    return False


def faults(text: str) -> list[str]:
    tree = ast.parse(text)
    lines = text.splitlines()
    statements = [node for node in ast.walk(tree) if isinstance(node, ast.stmt)]
    told = []
    for node, wrong in silencers(tree):
        assert isinstance(node, ast.expr | ast.stmt)
        row = max(each.lineno for each in statements if each.lineno <= node.lineno)
        if not has_reason(lines, row) and not has_reason(lines, node.lineno):
            wrong = "silenced without a reason"
        if wrong:
            told.append(f"{node.lineno}: {wrong}: {lines[node.lineno - 1].strip()}")
    return told


def test_python_silences_nothing_without_a_reason() -> None:
    files = [path for path in own_files("*.py") if path != Path(__file__)]
    assert len(files) > 100
    found = [
        f"{path.relative_to(ROOT)}:{fault}"
        for path in files
        for fault in faults(path.read_text("utf-8"))
    ]
    assert not found, "\n" + "\n".join(found)


def test_nothing_else_does() -> None:
    patterns = ["Makefile", ".ci/*", "*.sh", "*Dockerfile*", "*.toml", "*.yaml"]
    files = set(own_files(*patterns))
    assert {ROOT / "Makefile", ROOT / ".ci/run", ROOT / "pyproject.toml"} <= files
    found = []
    for path in sorted(files):
        lines = path.read_text("utf-8").splitlines()
        for row, line in enumerate(lines, start=1):
            hides = ELSEWHERE.search(line) and not line.lstrip().startswith("#")
            if hides and not has_reason(lines, row):
                found.append(f"{path.relative_to(ROOT)}:{row}: {line.strip()}")
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize(
    "line",
    [
        'warnings.simplefilter("ignore")',
        'warnings.filterwarnings("ignore", message="x", category=UserWarning)',
        'warnings.filterwarnings(action="ignore", category=UserWarning)',
        "with warnings.catch_warnings(record=True): pass",
        'with warnings.catch_warnings(action="ignore"): pass',
        "logging.getLogger().setLevel(logging.ERROR)",
        "logging.disable(logging.WARNING)",
        "options.log_severity_level = 3",
        "transformers.logging.set_verbosity_error()",
        'os.environ["TRANSFORMERS_VERBOSITY"] = "error"',
        'with np.errstate(over="ignore"): pass',
        "subprocess.run(\n    command,\n    stderr=subprocess.DEVNULL,\n)",
        '@pytest.mark.filterwarnings("ignore:x")\ndef test_it(): pass',
    ],
)
def test_each_way_to_silence_is_seen(line: str) -> None:
    [fault] = faults(f"x = 1\n# A comment.\n{line}\n")
    assert fault.startswith(("3: silenced without", "5: silenced without"))
    assert faults(f"x = 1\n# Harmless:\n{line}\n") != []


def test_a_reason_is_not_enough_for_all_that_there_is() -> None:
    reason = "# Harmless: it says\n# what everybody knows.\n"
    narrow = 'warnings.filterwarnings("ignore", message="x", category=UserWarning)\n'
    assert faults(reason + narrow) == []
    assert faults(reason + "options.log_severity_level = 3") == []
    assert faults(reason + 'warnings.filterwarnings("ignore", category=Bomb)\n') == []
    for broad in ('filterwarnings("ignore", category=UserWarning)', 'simplefilter("ignore")'):
        assert len(faults(f"{reason}warnings.{broad}\n")) == 1
    assert faults('warnings.simplefilter("error")\nlogging.basicConfig(level=logging.INFO)\n') == []
