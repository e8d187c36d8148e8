"""The text part that is made when an email brings HTML only."""

import pytest

from message.plain_text import plain_text_from_html


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("", ""),
        ("Hello", "Hello"),
        ("<p>Hello\n   Ann</p>", "Hello Ann"),
        ("<p>One</p><p>Two</p>", "One\n\nTwo"),
        ("<div><div><p>One</p></div></div><p>Two</p>", "One\n\nTwo"),
        ("<h1>Hi</h1>there", "Hi\n\nthere"),
        ("<main>One</main><footer>Two</footer>", "One\n\nTwo"),
        ("One<br>Two<br/>Three", "One\nTwo\nThree"),
        ("<ul><li>One</li><li>Two</li></ul>", "- One\n- Two"),
        ("<tr><th>Plan</th><th>Price</th></tr><tr><td>Pro</td><td>9</td></tr>",
         "Plan Price\n\nPro 9"),
        ("<dl><dt>Plan</dt><dd>Pro</dd></dl>", "Plan\n\nPro"),
        ('<a href="https://example.com/?a=1&amp;b=2">Log in</a>',
         "Log in (https://example.com/?a=1&b=2)"),
        ('<a href="#top">Up</a> <a name="x">here</a>', "Up here"),
        ("5 &lt; 6 &amp; 7&nbsp;&euro;", "5 < 6 & 7 €"),
        ("<title>Hidden</title><style>p{}</style><script>x<b>y</script>Seen", "Seen"),
        ("<head><title>Hidden</title></head><body>Seen</body>", "Seen"),
        ("<head><title>Hidden</title><body>Seen", "Seen"),
        ("<!-- no -->Seen<!--[if mso]>no<![endif]--> too", "Seen too"),
        ("<![if !mso]>Seen<![endif]>", "Seen"),
        ("<![odd[thing]]>Seen", "Seen"),
        ("<b>not <i>closed", "not closed"),
        ("</p></style></a>Seen", "Seen"),
        ("a < b", "a < b"),
    ],
)  # fmt: skip
def test_the_words_stay_and_the_marks_go(html: str, text: str):
    assert plain_text_from_html(html) == text


def test_a_deep_and_broken_page_still_gives_its_words():
    assert plain_text_from_html("<div>" * 5000 + "Seen" + "</p>" * 5000) == "Seen"
