"""`make init` on a small repository of the test's own."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tools.init import __main__ as init
from tools.init.answers import Unanswered, answers
from tools.init.colours import DARK_GROUND, LIGHT_GROUND, READABLE, accents, contrast
from tools.init.dropping import cut_sections, drop, forget_modules
from tools.init.offer import Offer, all_offers
from tools.init.requirements import needed, wanted
from tools.init.tree import Mismatch, Tree

FILES = {
    ".env.example": "FLASK_DEBUG=1\n# SECRET_KEY=\n# APP_NAME=Your App\n# FROM_EMAIL=Your App <a@b.co>\n",
    ".gitignore": ".env\n",
    "config.py": 'S = (\n    Setting("APP_NAME", any_text, "Your App"),\n'
    '    Setting("FROM_EMAIL", address, "Your App <a@b.co>", "", required=True),\n)\n',
    "README.md": "# Flask Email Starter\n",
    "CHANGELOG.md": "# Changelog\n",
    "LICENSE": "MIT License\n\nCopyright (c) 2026 The Flask Email Starter authors\n",
    "Makefile": ".PHONY: run demo\nrun: ## run\n\tflask run\n\ndemo: ## show\n\tpython demo\n",
    "pyproject.toml": 'module = ["app", "shop.cart", "shop.plans"]\n'
    '"!./{app,tasks,shop/{__init__,cart,plans}}.py" = 1\n',
    "requirements.in": "flask>=3.1\n",
    "requirements.txt": "flask==3.1.3 \\\n    --hash=sha256:1\njinja2==3.1.6\nstripe==16.1.0 \\\n    --hash=sha256:2 \\\n    --hash=sha256:3\n",
    "requirements-dev.in": "-c requirements.txt\npytest>=8\n",
    "requirements-dev.txt": "pytest==8.0.0\n",
    "static/style.css": ":root { --accent: #111111; --accent-strong: #222222; --on-accent: #fff; }\n"
    "@media dark { :root { --accent: #333333; --accent-strong: #444444; --on-accent: #000; } }\n",
    "static/favicon.svg": '<svg><rect width="3" fill="#111111"/></svg>\n',
    "templates/emails/_theme.html": '{"accent": "#111111", "on_accent": "#ffffff"}\n'
    '{"accent": "#333333", "on_accent": "#000000"}\n',
}
ANSWERS = {"NAME": "Acme & Söhne", "FROM": "Acme <hi@acme.dev>", "COLOUR": "#0b6e4f"}
Init = Callable[..., tuple[int, str]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A committed repository."""
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "-m", "x"]):
        git(tmp_path, *command)
    return tmp_path


def git(root: Path, *command: str) -> str:
    name = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    done = subprocess.run(["git", *name, *command], cwd=root, capture_output=True, check=True)  # noqa: S607
    return done.stdout.decode()


@pytest.fixture
def run(root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Init:
    """`run(NAME="Acme")`: the exit code, and what it printed. Nothing is offered."""
    monkeypatch.setattr(init, "all_offers", dict)
    monkeypatch.setattr(
        init, "OWN", Offer(name="own", what="the template's own", targets=("demo",))
    )

    def start(**given: Any) -> tuple[int, str]:
        code = init.main(root, given, ask=False)
        return code, capsys.readouterr().out

    return start


def text(root: Path, path: str) -> str:
    return (root / path).read_text(encoding="utf-8")


def test_it_makes_the_clone_somebodys_own(root: Path, run: Init):
    code, said = run(**ANSWERS)
    assert code == 0
    assert 'Setting("APP_NAME", any_text, "Acme & Söhne")' in text(root, "config.py")
    assert '"Acme <hi@acme.dev>", "", required=True' in text(root, "config.py")
    assert "# APP_NAME=Acme & Söhne\n# FROM_EMAIL=Acme <hi@acme.dev>\n" in text(
        root, ".env.example"
    )
    assert text(root, "README.md").startswith("# Acme & Söhne\n")
    assert "Acme & Söhne" in text(root, "CHANGELOG.md")
    assert "--accent: #0b6e4f;" in text(root, "static/style.css")
    assert 'fill="#0b6e4f"' in text(root, "static/favicon.svg")
    assert '"accent": "#0b6e4f", "on_accent": "#ffffff"' in text(
        root, "templates/emails/_theme.html"
    )
    assert "#333333" not in text(root, "static/style.css") + text(
        root, "templates/emails/_theme.html"
    )
    for word in ("config.py", "README.md", "LICENSE", "SECRET_KEY", "git diff"):
        assert word in said


def test_the_licence_of_the_template_stays_below_ones_own(root: Path, run: Init):
    run(**ANSWERS)
    own, _, theirs = text(root, "LICENSE").partition("\n---")
    assert "Acme & Söhne. All rights reserved." in own
    assert FILES["LICENSE"] in theirs


def test_a_secret_key_is_made_once_and_kept(root: Path, run: Init):
    run(**ANSWERS)
    first = text(root, ".env")
    [line] = [each for each in first.splitlines() if each.startswith("SECRET_KEY=")]
    assert len(line) == len("SECRET_KEY=") + 64
    git(root, "add", "--all")
    git(root, "commit", "-m", "Acme")
    run(**ANSWERS)
    assert text(root, ".env") == first


def test_an_env_file_that_is_there_keeps_its_key_and_gets_the_name(root: Path, run: Init):
    (root / ".env").write_text("SECRET_KEY=mine\nAPP_NAME=Old\n", encoding="utf-8")
    run(**ANSWERS)
    assert text(root, ".env") == "SECRET_KEY=mine\nAPP_NAME=Acme & Söhne\n"


def test_a_second_run_changes_nothing_and_not_what_was_written_since(root: Path, run: Init):
    run(**ANSWERS)
    (root / "README.md").write_text("# Ours\n", encoding="utf-8")
    git(root, "add", "--all")
    git(root, "commit", "-m", "Acme")
    assert run(**ANSWERS) == (0, "nothing to do: it is all as you want it\n")
    assert git(root, "status", "--porcelain") == ""


def test_a_dirty_tree_is_refused_with_what_is_not_committed(root: Path, run: Init):
    (root / "mine.py").write_text("x = 1\n", encoding="utf-8")
    code, said = run(**ANSWERS)
    assert code == 2
    assert "mine.py" in said
    assert text(root, "README.md") == FILES["README.md"]


def test_without_a_name_it_explains_itself_and_changes_nothing(root: Path, run: Init):
    code, said = run()
    assert code == 2
    assert said.startswith('make init NAME="Acme"')
    assert git(root, "status", "--porcelain") == ""


@pytest.mark.parametrize(
    ("given", "drop"),
    [
        ({}, ()),
        ({"DROP": "contact, drill"}, ("contact", "drill")),
        ({"DROP": "celery"}, ("benchmarks", "celery", "demo", "drill")),
        ({"DROP": "none"}, ()),
        ({"DROP": "all"}, tuple(all_offers())),
        ({"KEEP": "all"}, ()),
        ({"KEEP": "none"}, tuple(all_offers())),
    ],
)
def test_what_is_dropped_follows_from_drop_or_keep(given: dict[str, str], drop: tuple[str, ...]):
    assert answers({"NAME": "Acme"} | given, all_offers(), ask=False).drop == drop


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"DROP": "stripes"}, "is called stripes"),
        ({"DROP": "docs", "KEEP": "demo"}, "either KEEP or DROP"),
        ({"KEEP": "demo"}, "demo cannot be kept"),
        ({"COLOUR": "green"}, "COLOUR must be like #0b6e4f"),
        ({"NAME": 'A"'}, "NAME must be"),
    ],
)
def test_what_cannot_be_is_refused_by_name(given: dict[str, str], words: str):
    with pytest.raises(Unanswered, match=words):
        answers({"NAME": "Acme"} | given, all_offers(), ask=False)


@pytest.mark.parametrize("colour", ["#0b6e4f", "#ffee00", "#000000", "#ffffff", "#E91E63"])
def test_every_colour_becomes_two_accents_that_can_be_read(colour: str):
    light, dark = accents(colour)
    assert contrast(light.plain, LIGHT_GROUND) >= READABLE
    assert contrast(dark.plain, DARK_GROUND) >= READABLE
    for accent in (light, dark):
        assert contrast(accent.plain, accent.on) >= READABLE
        assert contrast(accent.strong, accent.on) >= READABLE


def test_an_edit_that_does_not_fit_is_left_to_a_person_and_named(root: Path):
    offer = Offer(
        name="x",
        what="x",
        edits=(("config.py", "not there", "new"),),
        definitions={"config.py": ("T",)},
    )
    by_hand = drop(Tree(root), [offer])[1]
    assert [each.startswith("x: config.py") for each in by_hand] == [True, True]
    assert "take T out" in by_hand[0]
    assert "put\nnew\nin the place of\nnot there" in by_hand[1]


def test_definitions_go_with_their_decorators_and_comments(root: Path):
    source = "A = 1\n# why\n@d\ndef f():\n    pass\n\n\nclass C:\n    @d\n    def m(self): ...\n    n = 1\n"
    (root / "m.py").write_text(source, encoding="utf-8")
    tree = Tree(root)
    tree.without_definitions("m.py", ["f", "C.m"])
    assert tree.read("m.py") == "A = 1\n\n\nclass C:\n    n = 1\n"
    with pytest.raises(Mismatch, match=r"m\.py does not define g once"):
        tree.without_definitions("m.py", ["g"])


def test_modules_and_targets_that_are_gone_are_named_nowhere(root: Path):
    tree = Tree(root)
    forget_modules(tree, ["shop/plans.py", "tasks.py"])
    assert tree.read("pyproject.toml") == (
        'module = ["app", "shop.cart"]\n"!./{app,shop/{__init__,cart}}.py" = 1\n'
    )
    drop(tree, [Offer(name="demo", what="the demo", targets=("demo",))])
    assert tree.read("Makefile") == ".PHONY: run\nrun: ## run\n\tflask run\n\n"


def test_a_pin_that_nothing_requires_goes(root: Path):
    tree = Tree(root)
    drop(tree, [])
    assert tree.read("requirements.txt") == (
        "flask==3.1.3 \\\n    --hash=sha256:1\njinja2==3.1.6\n"
    )
    assert {"flask", "werkzeug", "markupsafe"} <= needed(wanted("flask>=3  # web\n"))
    assert "redis" in needed(wanted("celery[redis]"))
    assert "redis" not in needed(wanted("celery"))


def test_sections_and_lines_about_a_part_are_cut_out_of_the_docs(root: Path):
    page = "a\n<!-- x -->\nb\n<!-- /x -->\n| row | <!-- only x --> |\n| other |\n<!-- y -->c<!-- /y -->\n"
    (root / "docs").mkdir()
    (root / "docs" / "page.md").write_text(page, encoding="utf-8")
    tree = Tree(root)
    cut_sections(tree, "x")
    assert tree.read("docs/page.md") == "a\n| other |\n<!-- y -->c<!-- /y -->\n"
