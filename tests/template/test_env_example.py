"""`.env.example` is the manual of the settings, so it must say what the code does."""

import re

import pytest

from config import SETTINGS, load
from setting_types import Setting
from tools.processes import ROOT

TEXT = (ROOT / ".env.example").read_text("utf-8")
LINE = re.compile(r"^(# )?([A-Z][A-Z_]+)=(.*)$", re.MULTILINE)
LIVE = {name: value for comment, name, value in LINE.findall(TEXT) if not comment}
SHOWN = {name: value for comment, name, value in LINE.findall(TEXT) if comment}


def test_it_names_every_setting_once_and_no_other():
    named = sorted(name for _, name, _ in LINE.findall(TEXT))
    settings = sorted(setting.name for setting in SETTINGS)
    assert named == settings, "explain each setting of config.py in .env.example, and no other"


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_a_commented_line_shows_the_default(setting: Setting):
    shown = {setting.name: SHOWN[setting.name]} if setting.name in SHOWN else {}
    assert load(LIVE | shown) == load(LIVE)
    if setting.default and setting.name not in ("FLASK_DEBUG", "SECRET_KEY"):
        assert shown == {setting.name: setting.default}


def test_its_live_lines_are_all_that_development_needs():
    assert LIVE == {"FLASK_DEBUG": "1"}
    assert load(LIVE)["DEBUG"] is True


def test_each_setting_is_explained_above_it():
    blocks = TEXT.split("\n\n")
    for setting in SETTINGS:
        (block,) = (each for each in blocks if re.search(rf"^(# )?{setting.name}=", each, re.M))
        assert block.startswith("# ")
        assert not LINE.match(block), setting.name
