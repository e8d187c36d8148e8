"""What a provider keeps of subscribers: tags, attributes, events. Unsubscribing stays.

The column `task` and the choice of `repeatable` outcomes stay in the outbox: rows have kinds.
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
        "email_service.py": ("EmailService.change_subscriber",),
        "outbox/delivery.py": ("_change_subscriber",),
        "outbox/reading.py": ("failing_change",),
        "outbox/tables.py": ("OutboxChange",),
        "providers/base.py": ("Provider.check_change", "Provider.change_subscriber"),
        "providers/http.py": (
            "HttpProvider.check_change",
            "HttpProvider.change_subscriber",
            "HttpProvider._require_subscribers",
        ),
        "providers/inbox.py": ("Inbox.check_change", "Inbox.change_subscriber"),
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
        ("CONTRIBUTING.md", " and `subscribers` (its lists and tags)", ""),
        (
            "docs/providers.md",
            ", and so are `subscribers` for its lists and `key_check_path` for",
            ", and so is `key_check_path` for",
        ),
        ("config.py", '    Setting("SUBSCRIBERS_ENABLED", boolean, "true"),\n', ""),
        (
            "blueprints/accounts.py",
            "joins the subscribers, and hears from us once more in three days",
            "hears from us once more in three days",
        ),
        (
            "blueprints/accounts.py",
            """    with subscribers.if_supported:
        subscribers.subscribe(address, first_name=name, tags=["signed-up"])
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
            'names = ("unknown-emails", "subscribers", "queue")',
            'names = ("unknown-emails", "queue")',
        ),
        (
            "cli/doctor/examination.py",
            "check_unknown(), check_subscribers(), ",
            "check_unknown(), ",
        ),
        (
            "outbox/__init__.py",
            " Changes of subscribers go the same way. `running` says\nwho delivers",
            " `running` says who\ndelivers",
        ),
        ("outbox/__init__.py", "from outbox.changes import enqueue_change\n", ""),
        ("outbox/__init__.py", "    OutboxChange,\n", ""),
        ("outbox/__init__.py", '    "OutboxChange",\n', ""),
        ("outbox/__init__.py", '    "enqueue_change",\n', ""),
        ("outbox/claim.py", "    changes: int | None = None,\n", ""),
        (
            "outbox/claim.py",
            "due rows, emails first, the longest waiting first; only",
            "due rows, the longest waiting first; only",
        ),
        (
            "outbox/claim.py",
            "At most `changes` of them are changes of subscribers. With",
            "With",
        ),
        (
            "outbox/claim.py",
            '_lease(session, and_(due, OutboxRow.task == "email"), limit, moment)',
            "_lease(session, due, limit, moment)",
        ),
        (
            "outbox/claim.py",
            """        room = limit - len(rows)
        room = room if changes is None else min(room, changes)
        if room > 0 and callable_now.usable:  # a change is no probe
            rows += _lease(session, and_(due, OutboxRow.task == "subscriber"), room, moment)
""",
            "",
        ),
        (
            "outbox/claim.py",
            "    `task` says whether `stored` is a frozen message (`email`) or a frozen change"
            " (`subscriber`).\n",
            "    `stored` is its frozen message.\n",
        ),
        (
            "outbox/delivery.py",
            """    if claimed.task == "subscriber":
        return _change_subscriber(claimed)
""",
            "",
        ),
        (
            "outbox/delivery.py",
            """        asks = claimed.pinned and claimed.task == "email"  # a change may always be repeated
        if asks and not""",
            "        if claimed.pinned and not",
        ),
        (
            "outbox/delivery.py",
            """        # How a change fares says nothing about sending, but its rate limit is the same one.
        if claimed.task == "email" or isinstance(answer, RateLimited):
            record(session, provider, answer, moment)
""",
            "        record(session, provider, answer, moment)\n",
        ),
        ("outbox/delivery.py", ' repeatable=claimed.task != "email",', ""),
        (
            "outbox/outcomes.py",
            "            if answer.message_id or repeatable  # a change of a subscriber has none\n",
            "            if answer.message_id\n",
        ),
        ("outbox/outcomes.py", "    repeatable: bool = False,\n", ""),
        (
            "outbox/outcomes.py",
            " What is `repeatable` without harm never ends as unknown.",
            "",
        ),
        (
            "outbox/outcomes.py",
            """    outcome = _after_error(failed, answer, () if pinned else chain)
    given_up = repeatable and outcome.state is State.UNKNOWN
    return evolve(outcome, state=State.FAILED) if given_up else outcome
""",
            "    return _after_error(failed, answer, () if pinned else chain)\n",
        ),
        (
            "outbox/reading.py",
            "emails (`OutboxEmail`) or changes of subscribers (`OutboxChange`).",
            "emails (`OutboxEmail`).",
        ),
        (
            "outbox/threads.py",
            """        # One slot is kept for emails, however slow the provider's list of subscribers is.
        changes = free - 1 if self._slots > 1 else free
        claims = claim(free, overdue=self._overdue, changes=changes)
""",
            "        claims = claim(free, overdue=self._overdue)\n",
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
        *(
            ("providers/__init__.py", f'    "{name}",\n', "")
            for name in (
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
            "tests/blueprints/test_accounts.py",
            """    with any_app.app_context():
        [change] = outbox.reading.recent(db.session(), outbox.OutboxChange)
        assert (change.kind, change.recipient) == ("subscribe", "bob@example.com")
        assert change.message["first_name"] == BOB["name"]
""",
            "",
        ),
        (
            "tests/blueprints/test_accounts.py",
            "test_a_new_account_joins_the_subscribers_and_hears_from_us_in_three_days",
            "test_a_new_account_hears_from_us_in_three_days",
        ),
        (
            "tests/blueprints/test_accounts.py",
            """    with app.app_context():
        assert outbox.reading.recent(db.session(), outbox.OutboxChange) == []
""",
            "",
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
