"""The documentation is true as far as a test can tell."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("bench/*.md")])


def examples(page):
    """The Python code of a page, at the lines where it stands."""
    text = (ROOT / page).read_text()
    lines = [""] * text.count("\n")
    for block in re.finditer(r"^```python\n(.*?)^```", text, re.M | re.S):
        first = text.count("\n", 0, block.start(1))
        code = block[1].splitlines()
        lines[first : first + len(code)] = code
    return compile("\n".join(lines), page, "exec")


@pytest.mark.parametrize("page", ["python-api", "natives", "porting", "wasi", "libc", "threads"])
def test_examples_run(page):
    pytest.importorskip("wasmtime")
    exec(examples(f"docs/{page}.md"), {})


def test_nativepy(tmp_path):
    text = (ROOT / "docs/nativepy.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)
    program = tmp_path / "program.py"  # the compiler reads functions from their file
    program.write_text("\n".join(blocks[:2]))
    subprocess.run([sys.executable, program], check=True, env={"PYTHONPATH": str(ROOT / "src")})


def test_examples_of_other_pages_are_python():
    for page in PAGES:
        examples(str(page.relative_to(ROOT)))


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    text = re.sub(r"`[^`]*`", "", page.read_text())
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_files_that_are_named_exist(page):
    for name in re.findall(r"`((?:src|tests|docs|bench|examples)/[\w./-]+)`", page.read_text()):
        assert (ROOT / name).exists(), name


def test_the_table_of_instructions_is_up_to_date():
    path = ROOT / "docs" / "make_instructions.py"
    spec = importlib.util.spec_from_file_location("make_instructions", path)
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    assert made.PAGE.read_text(encoding="utf-8") == made.page(), "run: python3 dev.py docs"


def test_continuous_integration_runs_the_command_of_the_readme():
    command = "python3 dev.py test"
    assert command in (ROOT / "README.md").read_text()
    assert (ROOT / ".ci" / "run").read_text().rstrip().endswith(f"exec {command}")
