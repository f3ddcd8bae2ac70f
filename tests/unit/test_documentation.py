"""The documents are true: what they name exists, and what there is they name."""

from __future__ import annotations

import argparse
import ast
import re
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

import build.commands
import sightline.commands
from models import file_names
from models.file_names import MODEL_CARD
from models.manifest import Manifest
from models.model_card import ModelCard
from serving import openapi
from serving.exchange import Exchange
from serving.metrics import Metrics
from serving.settings import PROTOCOLS, Settings
from serving.state import State
from tests.own_files import ROOT, own_files

PAGES = sorted(own_files("*.md"))
COMMANDS = [f"build {module.name}" for module in iter_modules(build.commands.__path__)]
# The others of `sightline` are the build's.
OWN_COMMANDS = [
    f"sightline {module.name}"
    for module in iter_modules(sightline.commands.__path__)
    if module.name != "index"
]
# They have one parser each, in the module that is run.
PROGRAMS = ["serving", "benchmarks", "tests.mutants", "build.demo_model"]
# By these the service's process speaks to its own workers.
WITHIN = {"SIGHTLINE_CHECKED_BUNDLE", "SIGHTLINE_CHECKED_VERSION", "SIGHTLINE_METRICS_FOLDER"}


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def first_cells(text: str) -> list[str]:
    """The first cell of each row of a table that begins with code, a status before it left out."""
    rows = re.findall(r"^\| (?:\d{3} \| )?(`.*)$", text, re.MULTILINE)
    return [row.split(" | ")[0] for row in rows]


@cache
def texts_of_the_code() -> str:
    """Every text in the code, those of a message with values in it in pieces."""
    pieces = [page("Makefile")]
    for folder in ("build", "models", "serving", "sightline"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_bytes())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    pieces.append(node.value)
    return "\n".join(pieces)


def test_every_message_that_is_explained_is_one() -> None:
    cells = first_cells(page("docs/troubleshooting.md"))
    messages = [message for cell in cells for message in re.findall("`([^`]+)`", cell)]
    assert len(messages) > 50
    # What stands between the values in it.
    pieces = [
        piece.removeprefix("error: ").strip(" .,:")
        for message in messages
        for piece in message.split("…")
    ]
    assert [piece for piece in pieces if piece not in texts_of_the_code()] == []


def test_every_file_and_name_on_the_walks_is_there() -> None:
    walks = page("docs/architecture.md").replace("\\", "").replace("../", "")
    files = set(re.findall(r"[\w/]+\.(?:py|json)\b", walks))
    assert len(files) > 50
    assert [file for file in files if not (ROOT / file).exists()] == []
    named = re.findall(r"`(\w+)`(?:, with a default[\w, ]+)?\s+in\s+\[([^\]]+)\]", walks)
    assert len(named) > 15
    assert [(name, file) for name, file in named if name not in page(file)] == []


def test_the_bundle_is_described_as_it_is() -> None:
    tables, _, databases = page("docs/bundle.md").partition("## items.sqlite")
    files, of_both = tables.split("## manifest.json")
    of_bundle, of_model = of_both.split("### The model")
    there = {
        value
        for name, value in vars(file_names).items()
        if name.isupper() and isinstance(value, str) and Path(value).suffix
    }
    assert {cell.strip("`") for cell in first_cells(files)} == there - {MODEL_CARD}
    for kind, text in ((Manifest, of_bundle), (ModelCard, of_model)):
        fields = re.findall(r"`(\w+)`", " ".join(first_cells(text)))
        assert set(fields) == {stored_as(*field) for field in kind.model_fields.items()}
        assert fields_within(kind) <= set(re.findall(r"`(\w+)`", text))
    # Each statement stands in the code, word for word.
    modules = ("item_writer", "runs", "facets", "thumbnails", "database", "spelling", "word_ranks")
    # What lies in a connection's own memory is in no file.
    code = "".join(map(page, [f"models/{name}.py" for name in modules])).replace(
        "CREATE VIRTUAL TABLE temp.", ""
    )
    statements = re.findall(r"CREATE [^;`]*", databases)
    assert len(statements) == code.count("CREATE ")
    assert [one for one in statements if one.strip() not in code] == []


def stored_as(name: str, field: FieldInfo) -> str:
    """What a field is called in a file."""
    return field.serialization_alias or name


def fields_within(kind: type[BaseModel]) -> set[str]:
    """The fields of a document and of what is in it, the model aside, which has its own table."""
    found = {stored_as(*field) for field in kind.model_fields.items()}
    for field in kind.model_fields.values():
        for module, name in re.findall(r"(models\.\w+)\.(\w+)", repr(field.annotation)):
            if name != ModelCard.__name__:
                found |= fields_within(getattr(import_module(module), name))
    return found


def code_of(text: str) -> list[str]:
    """What stands in a page as code: in the text, in a block, or set in from the margin."""
    blocks = re.findall(r"^```.*?^```", text, re.MULTILINE | re.DOTALL)
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    lines += re.findall(r"^ {4}.*", text, re.MULTILINE)
    return lines + re.findall(r"`([^`\n]+)`", text)


CODE = [line for path in PAGES for line in code_of(path.read_text(encoding="utf-8"))]


def options_of(program: str) -> set[str]:
    """The options of a program or of a subcommand, with their dashes."""
    package, _, name = program.partition(" ")
    if name:
        parser = argparse.ArgumentParser()
        import_module(f"{package}.commands.{name}").configure(parser)
        return set(re.findall(r"--[\w-]+", parser.format_usage()))
    module = page(f"{program.replace('.', '/')}/__main__.py")
    return set(re.findall(r"add_argument\(\s*\"(--[\w-]+)\"(?![^)]*SUPPRESS)", module))


@pytest.mark.parametrize("program", COMMANDS + OWN_COMMANDS + PROGRAMS)
def test_every_option_that_a_command_is_given_exists(program: str) -> None:
    typed = program if program in OWN_COMMANDS else f"python -m {program}"
    told = [line.partition(typed)[2] for line in CODE]
    # Up to what is another command, or a remark.
    given = {
        option
        for line in told
        if not re.match(r"[\w.]", line)
        for option in re.findall(r"(?<= )--[\w-]+", re.split(r" [#;|&(]", line)[0])
    }
    assert given - options_of(program) == set()


@pytest.mark.parametrize("program", [*COMMANDS, *OWN_COMMANDS, "serving"])
def test_every_option_is_in_its_command_s_table(program: str) -> None:
    of_all = page("docs/commands.md")
    heading = program if program in OWN_COMMANDS else f"python -m {program}"
    [text] = re.findall(rf"^###? {heading}$(.*?)(?=^##|\Z)", of_all, re.M | re.S)
    listed = {option for cell in first_cells(text) for option in re.findall(r"--[\w-]+", cell)}
    assert listed == options_of(program)


def test_every_option_that_is_named_alone_is_somebody_s() -> None:
    ours = set().union(*map(options_of, COMMANDS + OWN_COMMANDS + PROGRAMS))
    # Of every program; of Locust and BentoML, to whom a variable of make hands them on.
    theirs = {"--help", "--users", "--master", "--worker", "--opt"}
    named = {line.split()[0].rstrip(":") for line in CODE if line.startswith("--")}
    assert len(named) > 20
    assert named - ours - theirs == set()


def test_every_command_of_build_that_is_named_exists() -> None:
    named = {name for line in CODE for name in re.findall(r"python -m build ([a-z]\w+)", line)}
    assert {f"build {name}" for name in named} == set(COMMANDS)


def test_every_variable_exists_and_is_told() -> None:
    told = {name for path in PAGES for name in variables(path)}
    sources = ("*.py", "Makefile", "Dockerfile*", "*.template", "*.sh")
    used = {
        name for path in own_files(*sources) if "unit" not in path.parts for name in variables(path)
    }
    settings = {f"SIGHTLINE_{name.upper()}" for name in Settings.model_fields}
    assert told - used - settings == set()
    assert (used | settings) - told == WITHIN


def variables(path: Path) -> set[str]:
    """The variables of ours that a file names; of what is cut off (``SIGHTLINE_…``) none."""
    return set(re.findall(r"SIGHTLINE_[A-Z]+(?:_[A-Z]+)*\b", path.read_text(encoding="utf-8")))


def test_every_route_exists_and_is_told() -> None:
    exchange = Exchange(State(), Settings())
    modules = [import_module(f"serving.protocols.{name.replace('-', '_')}") for name in PROTOCOLS]
    others = [one for module in modules for one in module.protocol(exchange).operations]
    document = openapi.document(keys=True, speech=True, schema=True, others=others)
    told = "\n".join(CODE)
    untold = [
        path
        for path in document["paths"]
        if not re.search(rf"(?<![\w.]){re.escape(path)}(?![\w/{{])", told)
    ]
    assert untold == []
    named = {path for line in CODE for path in re.findall(r"^(?:GET|POST) (/[^\s?]*)", line)}
    assert len(named) > 15
    assert named - set(document["paths"]) == set()


def test_every_metric_exists_and_is_told() -> None:
    # What Prometheus's client adds to each says when it was made.
    there = {
        name
        for name in re.findall(r"^# HELP (\w+)", Metrics().exposition().decode(), re.MULTILINE)
        if not name.endswith("_created")
    }
    cells = first_cells(page("docs/metrics.md"))
    assert {cell.strip("`") for cell in cells} == there
    named = {
        name for line in CODE for name in re.findall(r"(?:sightline|bentoml_service)_\w+", line)
    }
    assert {re.sub("_bucket$", "", name) for name in named} - there - {"bentoml_service_"} == set()


def test_every_target_of_make_that_is_named_exists() -> None:
    [targets] = re.findall(r"^\.PHONY: (.*)$", page("Makefile"), re.MULTILINE)
    starts = r"^(?: {4})?(?:[A-Z_]+=\S+ )*make ([a-z]\w*)"
    named = {name for line in CODE for name in re.findall(starts, line)}
    assert named == set(targets.split()) - {"clean"}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(path: Path) -> None:
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"\w+:", target):
            continue
        place, _, anchor = target.partition("#")
        there = path.parent / place if place else path
        assert there.exists(), target
        if anchor:
            assert anchor in anchors(there), target


def anchors(path: Path) -> set[str]:
    """Where the headings of a page are: their words, as GitHub and MkDocs join them."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
