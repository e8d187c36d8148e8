"""The files of a new email, ready to edit: what `flask email new NAME` writes."""

import keyword
import re
from pathlib import Path
from string import Template

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
LONGEST_NAME = 40  # it becomes a function, a tag at the providers, and four file names
IN_MODULE = {"email", "app_name", "greeting_name"}  # what the new module imports under these names
INDEX = Path("emails/__init__.py")
# Parts of the index: an import on one line or in parentheses, and the list of what is exported.
IMPORT = re.compile(r"^from emails\.(?P<module>\w+) import (?:\([^)]*\)|[^(\n]+)\n", re.MULTILINE)
ALL = re.compile(r"^__all__ = \[(?P<names>[^]]*)\]", re.MULTILINE)

# Of every file: its place, and what it says. `$name` is `trial-ends`, `$function` is `trial_ends`.
FILES = {
    "emails/$function.py": '''\
"""$title."""

from emails.compose import app_name, compose, email
from emails.names import greeting_name
from emails.samples import NAMES
from message import AddressLike, EmailMessage


@email("$name", samples=NAMES)
def $function(*, to: AddressLike, name: str) -> EmailMessage:
    """When it is sent, and what it is for."""
    return compose(
        "$name",
        to=to,
        subject=f"$title at {app_name()}",
        name=greeting_name(name),
    )
''',
    "templates/emails/$name.html": """\
{% extends "emails/_base.html" %}
{% import "emails/_macros.html" as ui %}
{% block preheader %}What the inbox shows behind the subject: say something new here.{% endblock %}
{% block content %}
{{ ui.heading("$title") }}
{{ ui.paragraph("Hi " ~ name ~ "," if name else "Hi,") }}
{{ ui.paragraph("Say in a sentence or two why you write. Then say what there is to do.") }}
{{ ui.button("Open " ~ brand.name, brand.url) }}
{{ ui.fallback_link(brand.url) }}
{% endblock %}
{% block why %}You get this email because you have an account at {{ brand.name }}.{% endblock %}
""",
    "templates/emails/$name.txt": """\
{% extends "emails/_base.txt" %}
{% block content -%}
$title

Hi{% if name %} {{ name }}{% endif %},

Say in a sentence or two why you write. Then say what there is to do.

Open {{ brand.name }}:
{{ brand.url }}
{% endblock %}
{% block why %}You get this email because you have an account at {{ brand.name }}.{% endblock %}
""",
    "tests/emails/test_$function.py": '''\
"""$title: what is true of this email alone."""

import emails


def test_it_greets_by_name_and_leads_into_the_app(email_app):
    message = emails.$function(to="ann@example.com", name="Ann")

    assert message.subject.startswith("$title at ")
    assert "Hi Ann," in message.text
    assert f'href="{email_app.config["APP_URL"]}"' in message.html
''',
}


def create_email(name: str, root: Path) -> list[Path]:
    """Write the files of the email `name` below `root`, and name it in `emails/__init__.py`.

    Returns their paths, relative to `root`. Raises `ValueError` for a name that cannot be used and
    `FileExistsError` for one that is taken; nothing is written then.
    """
    function = _function(name)
    words = {"name": name, "function": function, "title": name.replace("-", " ").capitalize()}
    files = {Path(_fill(path, words)): _fill(text, words) for path, text in FILES.items()}
    taken = [str(path) for path in files if (root / path).exists()]
    if taken:
        raise FileExistsError(f"there is already {', '.join(taken)}; choose another name")
    index = _with_name((root / INDEX).read_text(encoding="utf-8"), function)
    for path, text in {**files, INDEX: index}.items():
        (root / path).write_text(text, encoding="utf-8")
    return [*files, INDEX]


def _function(name: str) -> str:
    if not NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise ValueError(
            f"{name!r} cannot name an email: take lower-case words with hyphens between them, "
            f"like trial-ends, {LONGEST_NAME} characters at most"
        )
    function = name.replace("-", "_")
    if keyword.iskeyword(function) or function in IN_MODULE:
        raise ValueError(f"{name!r} means something else in Python here; choose another name")
    return function


def _fill(text: str, words: dict[str, str]) -> str:
    return Template(text).substitute(words)


def _with_name(index: str, function: str) -> str:
    """The index of the emails with one more import and one more name, each in its order."""
    imports = list(IMPORT.finditer(index))
    listed = ALL.search(index)
    if not imports or not listed:
        raise ValueError(f"{INDEX} has no imports and no list __all__ to add {function} to")
    names = sorted({*re.findall(r"\w+", listed["names"]), function}, key=_natural)
    lines = "".join(f'    "{name}",\n' for name in names)
    later = [found.start() for found in imports if _natural(found["module"]) > _natural(function)]
    place = later[0] if later else imports[-1].end()
    return (
        index[:place]
        + f"from emails.{function} import {function}\n"
        + index[place : listed.start("names")]
        + f"\n{lines}"
        + index[listed.end("names") :]
    )


def _natural(name: str) -> list[bool | str | int]:
    """As the linter sorts: constants, classes, functions; `day_3` before `day_10`."""
    parts = [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]
    return [not name.isupper(), name[:1].islower(), *parts]
