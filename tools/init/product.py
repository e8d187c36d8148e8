"""What makes the clone somebody's own: name, sender, colours, secret key."""

import re
import secrets

from tools.init.colours import Accent, accents
from tools.init.tree import Tree

NAME = re.compile(r"\w[\w &'.,!+-]{0,59}")
# A setting in config.py, with its default; a line of an env file, with its value.
SETTING = r'(Setting\("{name}", \w+, )"[^"\n]*"'
LINE = r"^(#[ ]?)?{name}=(.*)$"


def check_name(name: str) -> str:
    """A name that fits into settings, headers and pages as it is. Raises `ValueError`."""
    if not NAME.fullmatch(name):
        raise ValueError(
            f"NAME must be letters, digits, spaces and & ' . , ! + - (60 at most), not {name!r}"
        )
    return name


def default_sender(name: str) -> str:
    """Who emails come from until a domain is verified: the name, and the template's address."""
    words = re.sub(r"[.,]", "", name)
    return f"{words} <noreply@yourdomain.com>"


def set_name(tree: Tree, name: str) -> list[str]:
    """The name of the product in pages and emails."""
    return _set_default(tree, "APP_NAME", name)


def set_sender(tree: Tree, sender: str) -> list[str]:
    """Who emails come from."""
    return _set_default(tree, "FROM_EMAIL", sender)


def _set_default(tree: Tree, setting: str, value: str) -> list[str]:
    """One setting in config.py and .env.example, and in .env if it stands there."""
    done = []
    pattern = re.compile(SETTING.format(name=setting))
    text = pattern.sub(lambda found: f'{found[1]}"{value}"', tree.read("config.py"))
    if tree.write("config.py", text):
        done.append(f"config.py: the default of {setting} is {value}")
    if tree.write(".env.example", _with_line(tree.read(".env.example"), setting, value)):
        done.append(f".env.example: {setting}={value}")
    own = tree.read(".env") if tree.has(".env") else ""
    live = re.search(rf"^{setting}=", own, re.MULTILINE)
    if live and tree.write(".env", _with_line(own, setting, value)):
        done.append(f".env: {setting}={value}")
    return done


def _with_line(text: str, setting: str, value: str) -> str:
    line = re.compile(LINE.format(name=setting), re.MULTILINE)
    return line.sub(lambda found: f"{found[1] or ''}{setting}={value}", text)


def set_colour(tree: Tree, colour: str) -> list[str]:
    """The accent in light and dark, in pages and emails. Raises `ValueError`."""
    light, dark = accents(colour)
    fill = re.compile(r'(<rect [^>]*fill=)"[^"]*"')
    icon = fill.sub(rf'\1"{light.plain}"', tree.read("static/favicon.svg"))
    changed = [
        tree.write("static/favicon.svg", icon),
        tree.write("static/style.css", _in_style(tree.read("static/style.css"), light, dark)),
        tree.write(
            "templates/emails/_theme.html",
            _in_theme(tree.read("templates/emails/_theme.html"), light, dark),
        ),
    ]
    if not any(changed):
        return []
    return [f"colours of pages, emails and icon: {light.plain}, in the dark {dark.plain}"]


def _in_style(text: str, *both: Accent) -> str:
    """The stylesheet; its first rule is for light, the second for dark."""
    for name, value in (("accent", "plain"), ("accent-strong", "strong"), ("on-accent", "on")):
        values = iter(both)
        text = re.sub(
            rf"--{name}: #\w+;",
            lambda _: f"--{name}: {getattr(next(values), value)};",  # noqa: B023  used at once
            text,
        )
    return text


def _in_theme(text: str, *both: Accent) -> str:
    """The theme of the emails; its first block is for light, the second for dark."""
    values = iter(both)

    def colours(_: re.Match[str]) -> str:
        accent = next(values)
        return f'"accent": "{accent.plain}", "on_accent": "{accent.on}"'

    return re.sub(r'"accent": "#\w+", "on_accent": "#\w+"', colours, text)


def make_secret_key(tree: Tree) -> list[str]:
    """A SECRET_KEY in .env, which is made from .env.example; a key that stands there stays."""
    done = []
    if not tree.has(".env"):
        tree.write(".env", tree.read(".env.example"))
        done.append("wrote .env from .env.example")
    text = tree.read(".env")
    if re.search(r"^SECRET_KEY=.*\S", text, re.MULTILINE):
        return done
    line = f"SECRET_KEY={secrets.token_hex(32)}"
    text, count = re.subn(r"^(?:#[ ]?)?SECRET_KEY=.*$", line, text, count=1, flags=re.MULTILINE)
    tree.write(".env", text if count else f"{text}\n{line}\n")
    return [*done, "wrote a fresh SECRET_KEY to .env, which git ignores"]
