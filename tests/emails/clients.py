"""Stand-ins for mail clients that change what they show. Each is a script for a loaded email."""

import re

from blueprints.dev.measurements import OUTLOOK_CLOSES, OUTLOOK_OPENS

# Gmail shows an email without its style sheets in some of its apps, and when it stumbles over one.
USE_STYLE_SHEETS = "(used) => [...document.styleSheets].forEach((s) => { s.disabled = !used; })"

# Two ways of forcing an email into the dark: inverting the lightness of all colours, and only of
# light grounds and dark text. The answer is the lowest contrast of a text in each.
CONTRASTS_WHEN_FORCED_DARK = """() => {
  const parse = (css) => css.match(/[\\d.]+/g).map(Number);
  const lightness = ([r, g, b]) => (Math.max(r, g, b) + Math.min(r, g, b)) / 510;
  // In HSL, mirroring the lightness keeps the distances between the channels.
  const invert = (rgb) => rgb.slice(0, 3).map((c) => c + 255 * (1 - 2 * lightness(rgb)));
  const luminance = (rgb) => rgb.slice(0, 3)
    .map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const contrast = (one, other) => {
    const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  };
  const ground = (element) => {
    const own = parse(getComputedStyle(element).backgroundColor);
    return own[3] === 0 ? ground(element.parentElement) : own;
  };
  const shown = [...document.querySelectorAll("body *")].filter((element) =>
    element.offsetParent && [...element.childNodes].some((n) => n.nodeType === 3 && n.data.trim()));
  const pairs = shown.map((e) => [parse(getComputedStyle(e).color), ground(e)]);
  return {
    all: Math.min(...pairs.map(([text, back]) => contrast(invert(text), invert(back)))),
    some: Math.min(...pairs.map(([text, back]) => contrast(
      lightness(text) < 0.5 ? invert(text) : text, lightness(back) > 0.5 ? invert(back) : back))),
  };
}"""

# The Word engine of Outlook knows neither maximal widths nor round corners, and padding and margins
# that centre only on cells; what it knows in their place it reads from properties of its own.
TURN_INTO_OUTLOOK = """() => {
  for (const element of document.querySelectorAll("[style]")) {
    const style = element.style;
    const own = /mso-padding-alt:([^;]+)/.exec(element.getAttribute("style"));
    style.maxWidth = style.borderRadius = style.display = "";
    if (!["TD", "TH"].includes(element.tagName)) style.padding = "";
    if (element.tagName === "DIV") style.margin = "";
    if (own) style.padding = own[1];
    if (/mso-hide:all/.test(element.getAttribute("style"))) element.hidden = true;
  }
}"""


def for_outlook(html: str) -> str:
    """The document that Word-engine Outlook reads: its own comments, and no media queries."""
    html = re.sub(r"<xml .*?</xml>|<style>.*?</style>", "", html, flags=re.DOTALL)
    html = html.replace("mso-hide:all;", "mso-hide:all;display:none;")
    return html.replace(OUTLOOK_OPENS, "").replace(OUTLOOK_CLOSES, "")
