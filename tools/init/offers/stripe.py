"""Stripe's webhook, and the emails about money that only its events send."""

from tools.init.offer import Offer

OFFER = Offer(
    name="stripe",
    what="Stripe's webhook and the emails it sends",
    paths=(
        "blueprints/stripe.py",
        "emails/billing.py",
        "emails/money.py",
        "templates/emails/_macros.txt",
        "templates/emails/payment-failed.*",
        "templates/emails/receipt.*",
        "tools/fuzz/stripe.py",
        "tests/blueprints/stripe_events.py",
        "tests/blueprints/test_stripe.py",
        "tests/blueprints/test_stripe_invoices.py",
        "tests/emails/test_billing.py",
        "tests/emails/test_money.py",
        "tests/hostile/stripe_headers.py",
        "tests/hostile/test_stripe_bodies.py",
        "tests/hostile/test_stripe_signatures.py",
        "tests/providers/signatures/test_stripe.py",
    ),
    definitions={
        "tests/cli/test_bulk.py": (
            "test_each_row_becomes_one_email_with_values_of_the_right_type",
            "test_a_wrong_row_says_what_to_do",
            "test_what_no_cell_can_hold_is_no_column",
            "test_keys_of_ones_own_count_instead",
        ),
        "cli/doctor/webhooks.py": ("_stripe_secret_error", "_stripe_event"),
        "providers/signatures.py": ("verify_stripe_signature", "stripe_digest"),
        "tools/provider_events.py": ("stripe_digest",),
        "tests/cli/doctor/test_findings.py": (
            "a_malformed_stripe_secret",
            "a_web_process_with_another_stripe_secret",
        ),
        "tests/emails/test_rendering.py": ("test_a_language_from_right_to_left_mirrors_the_email",),
        "tests/hostile/events.py": (
            "WEBHOOK",
            "_numbers",
            "new_event_id",
            "event",
            "checkout",
            "signature",
            "post_event",
        ),
        "tests/hostile/test_deliveries.py": (
            "customers",
            "accepted",
            "test_200_events_delivered_8_times_at_once_send_200_receipts",
            "test_a_sender_that_never_heard_the_answer_may_deliver_again",
        ),
    },
    edits=(
        ("config.py", '    Setting("STRIPE_WEBHOOK_SECRET", comma_list),\n', ""),
        (".env.example", "# STRIPE_WEBHOOK_SECRET=\n", ""),
        (".env.example", "prints the last three.", "prints all three."),
        ("config.py", '    Setting("BILLING_URL", url),\n', ""),
        (
            "config.py",
            """    values["BILLING_URL"] = values["BILLING_URL"] or f"{values['APP_URL']}/billing"
""",
            "",
        ),
        (
            ".env.example",
            """# Where the button of a failed payment leads, and of a receipt without an invoice link.
# Default: APP_URL/billing
# BILLING_URL=

""",
            "",
        ),
        ("app.py", '            "billing_url": settings["BILLING_URL"],\n', ""),
        ("emails/__init__.py", "from emails.billing import payment_failed, receipt\n", ""),
        ("emails/__init__.py", '    "payment_failed",\n', ""),
        ("emails/__init__.py", '    "receipt",\n', ""),
        (
            "requirements.in",
            "babel>=2.17                 # money as people write it: ¥1,000, $29.00\n",
            "",
        ),
        ("requirements-dev.in", "stripe>=16.1                # official webhook signatures\n", ""),
        ("cli/doctor/webhooks.py", "that have a webhook, and Stripe.", "that have a webhook."),
        (
            "cli/doctor/webhooks.py",
            """    setting = "STRIPE_WEBHOOK_SECRET"
    stripe = Source("stripe", setting, settings[setting], _stripe_secret_error, _stripe_event)
    return [*found, stripe]
""",
            "    return found\n",
        ),
        (
            "cli/doctor/webhooks.py",
            """        if source.name == "stripe":
            text = f"{setting} is not set: Stripe's webhook answers 503"
            return hint(line, text, f"set {setting} if you take payments with Stripe")
""",
            "",
        ),
        (
            "providers/__init__.py",
            "from providers.signatures import stripe_digest, verify_stripe_signature\n",
            "",
        ),
        ("providers/__init__.py", '    "stripe_digest",\n', ""),
        ("providers/__init__.py", '    "verify_stripe_signature",\n', ""),
        (
            "providers/signatures.py",
            "base64-decoded: the opposite of Stripe's. Any",
            "base64-decoded. Any",
        ),
        (
            "webhooks/__init__.py",
            "What providers and Stripe report, every event once.",
            "What providers report, every event once.",
        ),
        (
            "webhooks/__init__.py",
            "the suppressions; what Stripe's events do stands in its blueprint.",
            "the suppressions.",
        ),
        (
            "webhooks/retention.py",
            "because Stripe may repeat them.",
            "because a sender may repeat them.",
        ),
        (
            "webhooks/retention.py",
            "docs.stripe.com/webhooks: resent by hand for so long",
            "repeated at most for so long",
        ),
        ("tools/fuzz/schemes.py", "StripeScheme(), ", ""),
        ("tools/site.py", '        "STRIPE_WEBHOOK_SECRET": ",".join(SECRETS),\n', ""),
        ("tools/site.py", 'SECRETS = ("whsec_new", "whsec_old")  # as while one is rolled\n', ""),
        (
            "tools/site.py",
            '    *(API_TOKEN, *SECRETS, SETTINGS["SECRET_KEY"],',
            '    *(API_TOKEN, SETTINGS["SECRET_KEY"],',
        ),
        ("tests/blueprints/conftest.py", '{"STRIPE_WEBHOOK_SECRET": SECRET} | ', ""),
        (
            "tests/blueprints/test_api.py",
            '        client.post("/api/webhooks/stripe", data=b"{}"),\n',
            "",
        ),
        ("tests/blueprints/test_csrf.py", '"/api/webhooks/stripe", ', ""),
        (
            "tests/blueprints/test_hostile_input.py",
            '[*JSON_ROUTES, "/api/webhooks/stripe"]',
            "JSON_ROUTES",
        ),
        (
            "tests/blueprints/test_limits.py",
            '"/api/webhooks/stripe", 30',
            '"/api/webhooks/resend", 30',
        ),
        ("tests/blueprints/test_routes.py", '"webhooks.stripe_webhook", ', ""),
        ("tests/cli/doctor/clinic.py", '    "STRIPE_WEBHOOK_SECRET": "whsec_of_stripe",\n', ""),
        ("tests/cli/doctor/test_findings.py", "    a_malformed_stripe_secret,\n", ""),
        (
            "tests/cli/doctor/test_findings.py",
            "    a_web_process_with_another_stripe_secret,\n",
            "",
        ),
        (
            "tests/cli/doctor/test_findings.py",
            '    clinic.settings["STRIPE_WEBHOOK_SECRET"] = ""  # then only one webhook is tried\n',
            "",
        ),
        (
            "tests/cli/doctor/test_findings.py",
            """    clinic = new_clinic("sendgrid")
    clinic.settings["STRIPE_WEBHOOK_SECRET"] = ""
""",
            '    clinic = new_clinic("sendgrid")\n',
        ),
        ("tests/cli/test_emails.py", '"--email", "receipt", ', '"--email", "password-reset", '),
        (
            "tests/cli/test_emails.py",
            '.startswith("Receipt")',
            '.startswith("Reset your password")',
        ),
        (
            "tests/emails/test_theme.py",
            'emails.receipt(to="ann@example.com", amount=2900, currency="usd", plan="Pro").html',
            "welcome().html",
        ),
        (
            "tests/emails/test_theme.py",
            '    start, end = ("right", "left") if dir == "rtl" else ("left", "right")\n',
            "",
        ),
        (
            "tests/emails/test_theme.py",
            """    assert re.findall(rf'<th [^>]*align="{end}"', receipt) == []
    assert len(re.findall(rf'<th [^>]*scope="row" align="{start}"', receipt)) == 3
    assert len(re.findall(rf'<td [^>]*align="{end}"[^>]*padding-{start}:16px', receipt)) == 3
""",
            "",
        ),
        (
            "tests/pages/test_every_page.py",
            "email=receipt&view=source",
            "email=welcome&view=source",
        ),
        ("tests/pages/test_gallery.py", "email=receipt&view=source", "email=welcome&view=source"),
        (
            "tests/test_config.py",
            """    assert settings["BILLING_URL"] == "http://127.0.0.1:5000/billing"
""",
            "",
        ),
        (
            "tests/test_config.py",
            """    assert settings["BILLING_URL"] == "https://app.example.com/billing"
""",
            "",
        ),
        (
            "tests/hostile/events.py",
            '"""Stripe\'s and the providers\' events as bytes',
            '"""The providers\' events as bytes',
        ),
        (
            "tests/hostile/events.py",
            "    Stripe's asks for a receipt. Sequenzy's says",
            "    Sequenzy's says",
        ),
        (
            "tests/hostile/events.py",
            """    if provider == "stripe":
        paid = checkout(address)
        return lambda: post_event(site, paid)
""",
            "",
        ),
        ("tests/hostile/events.py", 'SENDERS = ("stripe", "resend"', 'SENDERS = ("resend"'),
        ("tests/hostile/test_deliveries.py", "EVENTS, AT_ONCE = 200, 8", "AT_ONCE = 8"),
        (
            "tests/hostile/test_deliveries.py",
            "site.stores(events=len(deliveries), outbox=len(emails))",
            "site.stores(events=len(deliveries))",
        ),
        (
            "tests/hostile/test_fields.py",
            """    with site.stores(events=1):
        assert post_event(site, checkout(address)).status == 200
""",
            "",
        ),
        ("tests/hostile/test_fields.py", "through_a_form_or_an_event", "through_a_form"),
        (
            "tests/hostile/test_framing.py",
            'POST_ROUTES = ("/api/send", "/api/signup", "/api/webhooks/stripe", ',
            'POST_ROUTES = ("/api/send", "/api/signup", ',
        ),
        (
            "tests/hostile/test_framing.py",
            '"/api/webhooks/stripe", "/reset-password"',
            '"/api/webhooks/resend", "/reset-password"',
        ),
        (
            "tests/hostile/test_framing.py",
            '"/api/webhooks/stripe", "/logout"',
            '"/api/webhooks/resend", "/logout"',
        ),
        ("tests/hostile/test_canaries.py", 'in ("stripe", "resend"', 'in ("resend"'),
        ("tests/hostile/test_canaries.py", '("Stripe-Signature", token), ', ""),
        ("tests/hostile/test_outages.py", "outbox=3, signups=1", "outbox=2, signups=1"),
        (
            "tests/providers/signatures/test_sequenzy.py",
            '    "signed as Stripe does": Post(f"v1={AS_STRIPE}"),\n',
            "",
        ),
        (
            "tests/providers/signatures/test_sequenzy.py",
            'AS_STRIPE = hmac.new(SECRET.encode(), f"{NOW}.".encode() + BODY, "sha256").hexdigest()\n',
            "",
        ),
        (
            "tests/test_config.py",
            '    assert settings["STRIPE_WEBHOOK_SECRET"] == ()\n',
            '    assert settings["RESEND_WEBHOOK_SECRET"] == ()\n',
        ),
        (
            "tests/test_config.py",
            '("STRIPE_WEBHOOK_SECRET", "whsec_a, whsec_b,", ("whsec_a", "whsec_b"))',
            '("SEQUENZY_WEBHOOK_SECRET", "whsec_a, whsec_b,", ("whsec_a", "whsec_b"))',
        ),
        (
            "tests/test_config.py",
            '("STRIPE_WEBHOOK_SECRET", " , ", ())',
            '("SEQUENZY_WEBHOOK_SECRET", " , ", ())',
        ),
        ("tests/template/test_routes.py", '"POST /api/webhooks/stripe", ', ""),
    ),
)
