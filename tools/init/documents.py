"""README, CHANGELOG and LICENSE of the new product, and what is about the template's own."""

from collections.abc import Collection

from tools.init.offer import Offer
from tools.init.tree import Tree

TEMPLATE = "Flask Email Starter"

OWN = Offer(
    name="readme",
    what="what is about the template's own README, pictures and set-up",
    paths=(
        "docs/from-the-guide.md",
        "docs/screenshots",
        *(
            f"tests/template/{name}.py"
            for name in (
                "dangling",
                "documents",
                "first_steps",
                "init_proof",
                "screenshots",
                "test_capability_table",
                "test_docs",
                "test_docs_code",
                "test_first_steps",
                "test_habits",
                "test_init",
            )
        ),
    ),
    targets=("test-init", "screenshots"),
    edits=(
        (
            "requirements-dev.in",
            "pillow>=11                  # `make screenshots` shrinks its pictures\n",
            "",
        ),
    ),
)
"""Goes with the first `make init` whatever is kept: it holds for the template's README alone."""

README = """# {name}

What {name} is for, in a sentence or two.

## Run it

    make run     # sets everything up and serves http://127.0.0.1:5000
    make test    # lint, types and all tests

`make help` lists the other commands. Sign up at `/signup`, read the email at `/inbox`, and look at
every email at `/preview`.

## Where things are

| what | where |
|---|---|
| settings, each with its explanation | `.env.example` (yours are in `.env`) |
| emails | `emails/` and `templates/emails/`; `flask email new NAME` writes another |
| pages and routes | `blueprints/` and `templates/pages/` |
| tables | `models.py`, then `flask db migrate` and `flask db upgrade` |
| colours | `static/style.css` and `templates/emails/_theme.html` |
| commands | `cli/`; `flask email --help` lists them |
{docs}
## In production

Set `SECRET_KEY`, `APP_URL`, `FROM_EMAIL`, `EMAIL_PROVIDER` and that provider's key in the
environment, run `flask db upgrade`, then `gunicorn app:app`. `flask email doctor` names whatever
is not right yet.

Built on {template}.
"""
DOCS = "| how it works | `docs/` |\n"
CHANGELOG = """# Changelog

## Unreleased

- {name} began as a copy of {template}.
"""
LICENSE = """Copyright (c) {year} {name}. All rights reserved.

{name} began as a copy of {template}. What comes from there stays under the
licence below, which asks that its two notices go with every copy.

--------------------------------------------------------------------------------

{licence}"""


def reset_documents(tree: Tree, name: str, year: int, dropped: Collection[str]) -> list[str]:
    """Write README, CHANGELOG and LICENSE anew; MIT asks to keep the text of the template's."""
    docs = "" if "docs" in dropped else DOCS
    texts = {
        "README.md": README.format(name=name, docs=docs, template=TEMPLATE),
        "CHANGELOG.md": CHANGELOG.format(name=name, template=TEMPLATE),
        "LICENSE": LICENSE.format(
            name=name, year=year, template=TEMPLATE, licence=tree.read("LICENSE")
        ),
    }
    for path, text in texts.items():
        tree.write(path, text)
    return [
        "wrote README.md: say in its first lines what it is for",
        "wrote CHANGELOG.md",
        f"wrote LICENSE: yours, all rights reserved, with the text of {TEMPLATE}'s below it",
    ]
