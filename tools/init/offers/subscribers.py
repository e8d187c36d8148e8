"""What a provider keeps of subscribers: tags, attributes, events. Unsubscribing stays.

What a `Kind` may say of its rows stays in the outbox: a product may have kinds of its own.
"""

from tools.init.offer import Offer

OFFER = Offer(
    name="subscribers",
    what="the subscribers kept at the provider",
    paths=(
        "subscribers.py",
        "docs/subscribers.md",
        "outbox/changes.py",
        "cli/subscribers.py",
        "providers/changes.py",
        "providers/named_resources.py",
        "providers/subscribers.py",
        "providers/*/subscribers.py",
        "tests/outbox/test_changes.py",
        "tests/outbox/test_restricted_changes.py",
        "tests/providers/subscriber_calls.py",
        "tests/providers/subscriber_sdks.py",
        "tests/providers/test_changes.py",
        "tests/providers/test_named_resources.py",
        "tests/providers/test_subscriber_wire.py",
        "tests/providers/test_subscribers.py",
    ),
    definitions={
        "background.py": ("change_in_background",),
        "cli/doctor/delivery.py": ("check_subscribers",),
        "email_service.py": ("EmailService.change_subscriber", "EmailService.refusal_of_change"),
        "outbox/reading.py": ("failing_change",),
        "outbox/tables.py": ("OutboxChange",),
        "providers/base.py": ("Provider.check_change", "Provider.change_subscriber"),
        "providers/http.py": (
            "HttpProvider.check_change",
            "HttpProvider.change_subscriber",
            "HttpProvider._require_subscribers",
        ),
        "providers/inbox.py": ("Inbox.check_change", "Inbox.change_subscriber"),
        "tests/blueprints/conftest.py": ("changes",),
        "tests/blueprints/test_stripe.py": (
            "test_a_paid_checkout_makes_a_customer_of_the_subscriber_once",
        ),
        "tests/blueprints/test_unsubscribe.py": (
            "test_a_provider_without_subscribers_is_no_obstacle",
        ),
        "tests/cli/doctor/test_findings.py": (
            "test_subscribers_that_do_not_arrive_are_a_hint_with_the_providers_words",
        ),
        "tests/cli/test_records.py": (
            "test_changes_of_subscribers_are_listed_shown_and_tried_again",
        ),
        "tests/outbox/test_failover.py": (
            "test_a_change_of_a_subscriber_stays_with_the_provider_that_has_the_list",
        ),
        "tests/outbox/test_probes.py": (
            "test_a_change_of_a_subscriber_goes_out_on_a_quiet_site_after_an_outage",
        ),
        "tests/outbox/test_senders.py": (
            "test_changes_and_marketing_together_leave_a_slot_for_transactional_emails",
        ),
        "tests/providers/samples.py": ("through",),
    },
    edits=(
        (
            ".env.example",
            """# Whether sign-ups and paid checkouts reach the provider's list of subscribers, as the first name
# in EMAIL_PROVIDER keeps it. Its key then needs the right to write contacts, not only to send.
# SUBSCRIBERS_ENABLED=true

""",
            "",
        ),
        (".env.example", "# Changes of subscribers are made for that address only.\n", ""),
        ("CONTRIBUTING.md", " and `subscribers` (its lists and tags)", ""),
        (
            "docs/providers.md",
            ", and so are `subscribers` for its lists and `key_check_path` for",
            ", and so is `key_check_path` for",
        ),
        ("config.py", '    Setting("SUBSCRIBERS_ENABLED", boolean, "true"),\n', ""),
        (
            "blueprints/signups.py",
            "joins the subscribers, and hears from us once more in three days",
            "hears from us once more in three days",
        ),
        (
            "blueprints/signups.py",
            """    with subscribers.if_supported:
        name = emails.greeting_name(asked.name)
        subscribers.subscribe(asked.email, first_name=name, tags=["signed-up"])
""",
            "",
        ),
        (
            "blueprints/stripe.py",
            """    with subscribers.if_supported:
        subscribers.add_tag(customer, "customer")
""",
            "",
        ),
        (
            "blueprints/unsubscribe.py",
            """    if new:
        with subscribers.if_supported:
            subscribers.unsubscribe(address)
""",
            "",
        ),
        (
            "blueprints/unsubscribe.py",
            "    new = suppression.suppress(\n",
            "    suppression.suppress(\n",
        ),
        (
            "cli/doctor/examination.py",
            'names = ("unknown-emails", "subscribers", "queue",',
            'names = ("unknown-emails", "queue",',
        ),
        (
            "cli/doctor/examination.py",
            "check_unknown(), check_subscribers(), ",
            "check_unknown(), ",
        ),
        (
            "outbox/__init__.py",
            " Changes of subscribers go the same way.",
            "",
        ),
        ("outbox/__init__.py", "from outbox.changes import enqueue_change\n", ""),
        ("outbox/__init__.py", "    OutboxChange,\n", ""),
        ("outbox/__init__.py", '    "OutboxChange",\n', ""),
        ("outbox/__init__.py", '    "enqueue_change",\n', ""),
        (
            "outbox/claim.py",
            "    batched = first is not None and lane is not Lane.CHANGES\n"
            "    most = calls * _batch_size(first) if batched and first else calls\n",
            "    most = calls * _batch_size(first) if first else calls\n",
        ),
        ("outbox/claim.py", ", and a change of a subscriber is no probe.", "."),
        ("outbox/claim.py", " and lane is not Lane.CHANGES and not budget", " and not budget"),
        ("outbox/shares.py", "            Lane.CHANGES: max(1, self._slots - 1),\n", ""),
        (
            "outbox/shares.py",
            "        others = lanes[Lane.TRANSACTIONAL] + lanes[Lane.CHANGES]\n",
            "        others = lanes[Lane.TRANSACTIONAL]\n",
        ),
        ("outbox/running.py", "    register_kind(app, ChangeKind())\n", ""),
        ("outbox/tables.py", "    CHANGES = 1  # of subscribers\n", ""),
        (
            "outbox/tables.py",
            "a stored `EmailMessage`, a stored `SubscriberChange`, or what a\n    batch must repeat. Of",
            "a stored `EmailMessage`, or what a batch must repeat.\n    Of",
        ),
        (
            "outbox/reading.py",
            "emails (`OutboxEmail`) or changes of subscribers (`OutboxChange`).",
            "emails (`OutboxEmail`).",
        ),
        (
            "providers/__init__.py",
            """from providers.changes import (
    AddTag,
    RecordEvent,
    RemoveTag,
    Subscribe,
    SubscriberChange,
    Unsubscribe,
    Value,
    change_from_json,
    change_to_json,
    kind_of,
)
""",
            "",
        ),
        ("providers/__init__.py", "from providers.subscribers import allow_until\n", ""),
        *(
            ("providers/__init__.py", f'    "{name}",\n', "")
            for name in (
                "allow_until",
                "AddTag",
                "RecordEvent",
                "RemoveTag",
                "Subscribe",
                "SubscriberChange",
                "Unsubscribe",
                "Value",
                "change_from_json",
                "change_to_json",
                "kind_of",
            )
        ),
        (
            "providers/http.py",
            "    subscribers: ClassVar[type[Subscribers] | None] = None  # its marketing side, if it has"
            " one\n",
            "",
        ),
        (
            "providers/http.py",
            """        # One for the provider's life: it remembers the names it looked up.
        self._subscribers = self.subscribers(self.name, self.call) if self.subscribers else None
""",
            "",
        ),
        ("providers/resend/sending.py", "    subscribers = ResendSubscribers\n", ""),
        ("providers/resend/__init__.py", "its webhook, its contacts.", "its webhook."),
        ("providers/sendgrid/sending.py", "    subscribers = SendGridSubscribers\n", ""),
        (
            "providers/sendgrid/__init__.py",
            "its event webhook, its marketing contacts.",
            "its event webhook.",
        ),
        ("providers/sequenzy/sending.py", "    subscribers = SequenzySubscribers\n", ""),
        ("providers/sequenzy/__init__.py", "its webhook, its subscribers.", "its webhook."),
        (
            "tests/blueprints/test_confirm.py",
            "    assert (changes(any_app), scheduled_emails) == ([], [])\n",
            "    assert scheduled_emails == []\n",
        ),
        (
            "tests/blueprints/test_confirm.py",
            '    assert changes(any_app) == [("subscribe", "bob@example.com", "Bob")]\n',
            "",
        ),
        (
            "tests/blueprints/test_signups.py",
            "    assert (scheduled_emails, changes(app)) == ([], [])\n",
            "    assert scheduled_emails == []\n",
        ),
        (
            "tests/blueprints/test_health.py",
            '"transactional": 0, "changes": 0,',
            '"transactional": 0,',
        ),
        (
            "tests/blueprints/test_unsubscribe.py",
            """    with any_app.app_context():
        [change] = outbox.reading.recent(db.session(), outbox.OutboxChange)
        assert (change.kind, change.recipient) == ("unsubscribe", ADDRESS.lower())
""",
            "",
        ),
        (
            "tests/blueprints/test_unsubscribe.py",
            "test_twice_is_fine_and_the_provider_is_told_once",
            "test_twice_is_fine",
        ),
        (
            "tests/cli/test_records.py",
            "the records: suppressions, totals, subscribers, what",
            "the records: suppressions, totals, what",
        ),
        (
            "tests/cli/test_privacy.py",
            """    with app.app_context():
        subscribers.add_tag(ANN, "customer")
        db.session.commit()
""",
            "",
        ),
        (
            "tests/cli/test_privacy.py",
            "(forgotten.emails, forgotten.accounts) == (4, 1)",
            "(forgotten.emails, forgotten.accounts) == (3, 1)",
        ),
        ("tests/template/test_ladder.py", '    ("emails", "subscribers"),\n', '    ("emails",),\n'),
    ),
)
