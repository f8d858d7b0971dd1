"""The documentation is true as far as a test can tell: commands parse, links lead somewhere, names exist."""

import argparse
import ast
import contextlib
import dataclasses
import functools
import inspect
import io
import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT

import hbac
from hbac.cli import parser
from hbac.inference.answers import Answer
from hbac.kaggle import MANIFEST_NAME
from hbac.training import options
from hbac.training.state import Progress

PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "weights" / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "wheel_src" / "README.md",
    ROOT / "wheel_src" / "CHANGELOG.md",
    ROOT / "wheel_src" / "FORMATS.md",
]
ELSEWHERE = ("kaggle", "pip", "pre-commit")  # programs that are not this project's
FLAG = re.compile(r"(?<![\w-])--[a-z][a-z0-9_-]*")


def blocks(text: str, language: str) -> list[str]:
    """Fenced blocks of a language, indented ones as well, without their indentation."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    return ["\n".join(line.removeprefix(indent) for line in body.splitlines()) for indent, body in found]


def commands_of(page: Path) -> list[str]:
    """Commands that stand as one would type them: lines of sh blocks, and indented lines that begin with hbac."""
    text = page.read_text()
    lines = [line for block in blocks(text, "sh") for line in block.replace("\\\n", " ").splitlines()]
    typed = with_functions_put_in([line.split(" #")[0].strip() for line in lines])
    return [*filter(None, typed), *re.findall(r"^    (hbac .*)$", text, re.MULTILINE)]


def spans_of(page: Path) -> list[str]:
    """What stands between backticks, on one line each."""
    prose = re.sub(r"^ *```.*?^ *```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose)]


def with_functions_put_in(lines: list[str]) -> list[str]:
    """Shell functions of the form `name() { command "$@"; }`, on one line or three, put in where they are called."""
    functions: dict[str, str] = {}
    out: list[str] = []
    inside = ""
    for line in lines:
        if begins := re.fullmatch(r"(\w+)\(\) \{(.*)", line):
            inside, line = begins[1], begins[2]
        if inside:
            functions[inside] = f"{functions.get(inside, '')} {line.rstrip(';} ')}".strip()
            inside = "" if line.endswith("}") else inside
            continue
        out.append(line)
    return [put_in(line, functions) for line in out]


def put_in(line: str, functions: dict[str, str]) -> str:
    while (name := line.split(" ")[0]) in functions:
        line = functions[name].replace('"$@"', line.removeprefix(name).strip())
    return line


def problem_of(command: str) -> str | None:
    """What is wrong with a command, or None."""
    words = shlex.split(command)
    while words and re.fullmatch(r"\w+=.*", words[0]):  # PYTHONPATH=... in front
        words = words[1:]
    program, *arguments = words
    program = program.removeprefix(".venv/bin/")
    if program == "hbac":
        return complaint_of(parser(), arguments)
    if program == "python":
        return problem_of_python(arguments)
    if program == "make":
        missing = [word for word in arguments if "=" not in word and word not in make_targets()]
        return f"no make target {missing}" if missing else None
    if program.startswith("./"):
        return None if (ROOT / program).is_file() else f"no file {program}"
    return None if program in ELSEWHERE else f"unknown program {program}"


def problem_of_python(arguments: list[str]) -> str | None:
    if arguments[0] == "-m":
        return None
    if arguments[0] == "kernel/train.py":
        return complaint_of(options.parser_of("train.py"), arguments[1:])
    if arguments[0] == "kernel/infer.py":
        return complaint_of(parser(), ["predict", *arguments[1:]])
    return problem_of_script(arguments)


def problem_of_script(arguments: list[str]) -> str | None:
    """A script that is not there, or an option that its text does not have."""
    script = ROOT / arguments[0]
    if not script.is_file():
        return f"no file {arguments[0]}"
    unknown = set(FLAG.findall(" ".join(arguments[1:]))) - set(FLAG.findall(script.read_text()))
    return f"{arguments[0]} has no {sorted(unknown)}" if unknown else None


def complaint_of(of: argparse.ArgumentParser, arguments: list[str]) -> str | None:
    """What argparse says of arguments, or None if it takes them; an ellipsis in a synopsis is left out."""
    stderr = io.StringIO()
    try:
        with contextlib.redirect_stderr(stderr), contextlib.redirect_stdout(io.StringIO()):
            of.parse_args([word for word in arguments if word != "..."])
    except SystemExit as end:
        return None if end.code == 0 else stderr.getvalue().splitlines()[-1]
    return None


@functools.cache
def make_targets() -> frozenset[str]:
    return frozenset(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def flags_of(of: argparse.ArgumentParser) -> set[str]:
    """Every long option of a parser and of its commands."""
    found: set[str] = set()
    for action in of._actions:
        found.update(flag for flag in action.option_strings if flag.startswith("--"))
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                found |= flags_of(command)
    return found


@functools.cache
def known_flags() -> frozenset[str]:
    """Long options of hbac, of the benchmarks and of what breaks things."""
    scripts = [path for folder in ("bench", "fuzz") for path in (ROOT / "tests" / folder).glob("*.py")]
    return frozenset(flags_of(parser()) | {flag for path in scripts for flag in FLAG.findall(path.read_text())})


def problem_of_span(span: str) -> str | None:
    """What is wrong with a command that prose names; it may leave out what it needs."""
    words = re.sub(r"^(\w+=\S+ )+", "", span).split(" ")
    if words[0] == "make" or span.startswith("./"):
        return problem_of(span)
    if words[0] == "python":
        return problem_of_script(words[1:])
    if words[0] == "hbac" and len(words) > 1:
        whole = complaint_of(parser(), [*words[1:2], "--help"])
        return whole or unknown_flags(span, flags_of(parser()))
    return unknown_flags(span, known_flags()) if words[0].startswith("--") else None


def unknown_flags(text: str, known: "set[str] | frozenset[str]") -> str | None:
    unknown = set(FLAG.findall(text)) - known - {"--help"}
    return f"no option {sorted(unknown)}" if unknown else None


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def of_pages(what: Callable[[Path], list[str]]) -> pytest.MarkDecorator:
    pairs = [(page, item) for page in PAGES for item in dict.fromkeys(what(page))]
    return pytest.mark.parametrize(("page", "item"), pairs, ids=[f"{name_of(page)}: {item}" for page, item in pairs])


def links_of(page: Path) -> list[str]:
    return [link for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()) if "://" not in link]


def anchors_of(page: Path) -> set[str]:
    """Anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def python_of(page: Path) -> list[str]:
    return blocks(page.read_text(), "python")


def names_of(page: Path) -> list[str]:
    """Public names that a page mentions: hbac.NAME."""
    return re.findall(r"\bhbac\.([A-Za-z_]\w*)", " ".join([*spans_of(page), *python_of(page)]))


@of_pages(commands_of)
def test_a_command_is_one_that_its_program_takes(page: Path, item: str) -> None:
    assert problem_of(item) is None


@of_pages(spans_of)
def test_what_prose_names_exists(page: Path, item: str) -> None:
    assert problem_of_span(item) is None


@of_pages(links_of)
def test_a_link_leads_to_a_file_and_a_heading_that_are_there(page: Path, item: str) -> None:
    path, _, anchor = item.partition("#")
    target = page.parent / path if path else page
    assert target.exists()
    assert not anchor or anchor in anchors_of(target)


@of_pages(python_of)
def test_python_is_python(page: Path, item: str) -> None:
    ast.parse(item)


@of_pages(python_of)
def test_an_example_names_arguments_that_there_are(page: Path, item: str) -> None:
    for call in filter(lambda node: isinstance(node, ast.Call), ast.walk(ast.parse(item))):
        assert isinstance(call, ast.Call)
        if isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == "hbac":
            known = inspect.signature(getattr(hbac, call.func.attr)).parameters
            assert {keyword.arg for keyword in call.keywords} <= known.keys()
            assert len(call.args) + len(call.keywords) <= len(known)


@of_pages(names_of)
def test_a_public_name_is_public(page: Path, item: str) -> None:
    assert item in {*hbac.__all__, *(path.stem for path in Path(hbac.__file__).parent.iterdir())}


def test_every_command_and_option_of_hbac_is_described() -> None:
    pages = "".join((ROOT / "docs" / name).read_text() for name in ("command-line.md", "training.md"))
    assert flags_of(parser()) - set(FLAG.findall(pages)) - {"--help", "--version"} == set()


def test_every_public_name_is_described() -> None:
    assert set(hbac.__all__) - set(names_of(ROOT / "docs" / "python.md")) - {"__version__"} == set()


def test_the_pages_hold_commands_of_each_kind() -> None:
    """An extraction that finds nothing would pass all of the above."""
    first = {command.split(" ")[0] for page in PAGES for command in commands_of(page)}
    assert {"hbac", "python", "make", "kaggle"} <= first
    assert len([c for c in commands_of(ROOT / "weights" / "README.md") if c.startswith("python kernel/train.py")]) == 15


@pytest.mark.parametrize(
    "command",
    [
        "hbac predict --test-dir DIR --no-such-option",
        "hbac predict",
        "hbac no-such-command",
        "python kernel/train.py --data d --output o --width wide",
        "python kernel/infer.py --test-dir DIR --engine abacus",
        "python tests/bench/matrix.py --no-such-option",
        "python tests/no_such_file.py",
        "make no-such-target",
        "./no_such_script.sh",
        "frobnicate --all",
    ],
)
def test_a_wrong_command_is_caught(command: str) -> None:
    assert problem_of(command) is not None


@pytest.mark.parametrize("span", ["--no-such", "hbac no-such", "hbac predict --no-such", "make no-such"])
def test_a_wrong_name_in_prose_is_caught(span: str) -> None:
    assert problem_of_span(span) is not None


def test_every_key_of_the_formats_is_described() -> None:
    manifest = json.loads((ROOT / MANIFEST_NAME).read_text())
    objects = [manifest, manifest["network"], *manifest["folds"]]
    keys = {key for found in objects for key in found} | {"preset", "digest", "fingerprint", "format", "digests"}
    keys |= {entry.name for kind in (Answer, Progress) for entry in dataclasses.fields(kind)}
    described = set(re.findall(r"\w+", " ".join(spans_of(ROOT / "wheel_src" / "FORMATS.md"))))
    assert keys - described == set()


def test_the_model_card_states_what_the_manifest_states() -> None:
    card = (ROOT / "weights" / "README.md").read_text()
    training = json.loads((ROOT / MANIFEST_NAME).read_text())["training"]["out_of_fold"]
    for metrics in training.values():
        stated = ("kl", "kl_of_class_prior", "accuracy", "balanced_accuracy", "calibration_error")
        assert " | ".join([f"{metrics['rows']:,}", *(f"{metrics[name]:.4f}" for name in stated)]) in card


def test_the_picture_files_are_small() -> None:
    pictures = list((ROOT / "docs").glob("*.png"))
    assert pictures
    assert all(picture.stat().st_size < 200_000 for picture in pictures)
