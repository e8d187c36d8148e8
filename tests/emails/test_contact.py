"""The email that the contact form sends."""

import emails
from message import Address


def notice(**changes):
    visit = {
        "to": "owner@example.com",
        "name": "Ann, Lee",
        "email": "ann@example.net",
        "message": "Hello",
    }
    return emails.contact_notice(**visit | changes)


def test_a_reply_goes_to_the_visitor_who_is_never_the_sender(email_app):
    message = notice()

    assert message.to == (Address("owner@example.com"),)
    assert message.reply_to == (Address("ann@example.net", "Ann, Lee"),)
    assert str(message.reply_to[0]) == '"Ann, Lee" <ann@example.net>'
    assert message.from_email is None


def test_the_message_is_escaped_and_keeps_its_line_breaks(email_app):
    html = notice(message="1 < 2\r\n\r\n<b>so</b>").html

    assert "1 &lt; 2<br><br>&lt;b&gt;so&lt;/b&gt;" in html


def test_the_text_has_the_message_as_it_was_typed(email_app):
    typed = "  indented & <b>bold</b>\n\n" + "a long line " * 20 + "\n\n\nAnn"

    assert f"\n\n{typed}\n\n--\n" in notice(message=typed.replace("\n", "\r\n")).text


def test_the_visitors_address_chooses_nobody_else_for_the_link_to_write_to(email_app):
    html = notice(email="a%40evil.example?cc=b&body=c@example.net").html

    assert 'href="mailto:a%2540evil.example%3Fcc%3Db%26body%3Dc@example.net"' in html
