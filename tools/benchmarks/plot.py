"""A bar chart as SVG, drawn by hand."""

from collections.abc import Sequence
from html import escape

Bar = tuple[str, float, bool]
"""A name, a value, and whether it is ours."""

WIDTH, LABELS, VALUES = 820, 330, 70  # pixels: of all, of the names, of the numbers
LINE, BAR = 26, 16  # pixels: height of a line, and of its bar
OURS, OTHERS, TEXT, PAPER = "#2563eb", "#9ca3af", "#111827", "#ffffff"


def chart(title: str, bars: Sequence[Bar]) -> str:
    """The bars below each other, the longest as long as there is room."""
    height = LINE * (len(bars) + 2)
    longest = max(value for _, value, _ in bars) or 1
    scale = (WIDTH - LABELS - VALUES) / longest
    lines = [_text(12, LINE, title, weight="bold")]
    for number, (name, value, ours) in enumerate(bars, start=1):
        middle = LINE * number + LINE
        lines += [
            _text(12, middle, name),
            f'<rect x="{LABELS}" y="{middle - 12}" width="{value * scale:.1f}" height="{BAR}" '
            f'fill="{OURS if ours else OTHERS}"/>',
            _text(LABELS + value * scale + 6, middle, f"{value:,.0f}"),
        ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
            f'viewBox="0 0 {WIDTH} {height}" role="img" font-family="sans-serif" font-size="13">',
            f"<title>{escape(title)}</title>",
            f'<rect width="{WIDTH}" height="{height}" fill="{PAPER}"/>',
            *lines,
            "</svg>\n",
        ]
    )


def _text(x: float, y: float, text: str, weight: str = "normal") -> str:
    attributes = f'x="{x:.1f}" y="{y}" fill="{TEXT}" font-weight="{weight}"'
    return f"<text {attributes}>{escape(text)}</text>"
