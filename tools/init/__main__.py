"""`python -m tools.init`: what `make init` runs. Its answers are variables: NAME=... DROP=..."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tools.init.answers import Answers, Unanswered, answers
from tools.init.documents import OWN, reset_documents
from tools.init.dropping import drop
from tools.init.offer import all_offers
from tools.init.product import make_secret_key, set_colour, set_name, set_sender
from tools.init.tree import Tree

ROOT = Path(__file__).parents[2]
RECORD = "tools/init/record.json"  # what earlier runs did


def main(root: Path, given: Mapping[str, str], *, ask: bool) -> int:
    """Do what is asked for, and say so; the exit code."""
    offers = all_offers()
    tree = Tree(root)
    record = json.loads(tree.read(RECORD)) if tree.has(RECORD) else {}
    try:
        wanted = answers(given, offers, record.get("name", ""), ask=ask)
        refuse_unclean(root)
    except Unanswered as error:
        say([str(error)])
        return 2
    done, by_hand = change(tree, wanted, record)
    tree.save()
    tidy(root)
    say(done or ["nothing to do: it is all as you want it"])
    if by_hand:
        say(["", "Left for you, because these files are not as they were:", *by_hand])
        return 1
    if done:
        if not wanted.drop:
            say(["", f"All parts are kept. DROP= leaves out: {', '.join(offers)}"])
        say(["", "Look at it with git diff, run make test, then git add --all and commit it."])
    return 0


def change(tree: Tree, wanted: Answers, record: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Change the tree. What was done, and what is left to do by hand."""
    offers = all_offers()
    dropped = record.get("dropped", [])
    new = [name for name in wanted.drop if name not in dropped]
    first = not record
    going = ([OWN] if first else []) + [offers[name] for name in new]
    done, by_hand = drop(tree, going) if going else ([], [])
    done += set_name(tree, wanted.name)
    done += set_sender(tree, wanted.sender) if wanted.sender else []
    done += set_colour(tree, wanted.colour) if wanted.colour else []
    if first:
        year = datetime.now(UTC).year
        done += reset_documents(tree, wanted.name, year, wanted.drop)
    done += make_secret_key(tree)
    if record and record["name"] != wanted.name:
        done.append("README.md, CHANGELOG.md and LICENSE are yours by now: the name there stays")
    if "docs" in new and not first:
        done.append("README.md is yours by now: take its line about docs/ out")
    facts = {"name": wanted.name, "dropped": sorted({*dropped, *new})}
    tree.write(RECORD, json.dumps(facts, indent=2) + "\n")
    return done, by_hand


def refuse_unclean(root: Path) -> None:
    """Raises `Unanswered` unless git could give everything back."""
    command = ["git", "status", "--porcelain"]
    status = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if status.returncode:
        raise Unanswered(
            "this is no git repository, which could give back what init changes; run\n"
            "  git init && git add --all && git commit --message 'As cloned'"
        )
    if status.stdout.strip():
        raise Unanswered(f"commit or stash these first, then run it again:\n{status.stdout}")


def tidy(root: Path) -> None:
    """Take out imports that nothing needs any more, and format."""
    fix, form = ["check", "--fix", "--quiet", "--exit-zero"], ["format", "--quiet"]
    for command in (form, fix, form):  # before the first form a line may be too long
        subprocess.run([sys.executable, "-m", "ruff", *command, "."], cwd=root, check=True)


def say(lines: Sequence[str]) -> None:
    """Print, a line each."""
    sys.stdout.writelines(f"{line}\n" for line in lines)


if __name__ == "__main__":
    sys.exit(main(ROOT, os.environ, ask=sys.stdin.isatty()))
