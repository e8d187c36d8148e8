"""the first tables"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=True),
        sa.Column("session_epoch", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("email", name="uq_users_email"),
    )
    op.create_table(
        "signups",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_signups"),
    )
    op.create_index("ix_signups_email", "signups", ["email"])

    op.create_table(
        "salts",
        sa.Column("name", sa.String(length=16), nullable=False),
        sa.Column("value", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_salts"),
    )

    op.create_table(
        "outbox",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("task", sa.String(length=16), nullable=False, server_default="email"),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("origin", sa.String(length=100), nullable=True),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("category", sa.String(length=16), nullable=False),
        sa.Column("lane", sa.SmallInteger(), nullable=False),
        sa.Column("recipient", sa.String(length=320), nullable=False),
        sa.Column("recipients", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("intent_key", sa.String(length=255), nullable=True),
        sa.Column("intent_hash", sa.String(length=64), nullable=True),
        sa.Column("if_unknown", sa.String(length=16), nullable=False),
        sa.Column("sensitive", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("unknown_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_token", sa.String(length=36), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("calling_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("quarantined", sa.Boolean(), nullable=False),
        sa.Column("crashes", sa.Integer(), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=True),
        sa.Column("only_provider", sa.String(length=32), nullable=True),
        sa.Column("pinned", sa.Boolean(), nullable=False),
        sa.Column("single", sa.Boolean(), nullable=False),
        sa.Column("batch_id", sa.String(length=36), nullable=True),
        sa.Column("batch_position", sa.SmallInteger(), nullable=True),
        sa.Column("provider_message_id", sa.String(length=255), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("redacted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("delivery_status", sa.String(length=16), nullable=True),
        sa.Column("marks", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
        sa.UniqueConstraint("intent_key", name="uq_outbox_intent_key"),
    )
    op.create_index("ix_outbox_created_at", "outbox", ["created_at"])
    op.create_index("ix_outbox_recipient", "outbox", ["recipient"])
    _create_partial_indexes()

    op.create_table(
        "outbox_bodies",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("message", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_outbox_bodies"),
        sa.ForeignKeyConstraint(
            ["id"], ["outbox.id"], name="fk_outbox_bodies_id_outbox", ondelete="CASCADE"
        ),
    )

    op.create_table(
        "attempts",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("email_id", sa.String(length=36), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("redirected_to", sa.String(length=320), nullable=True),
        sa.Column("wire_hash", sa.String(length=64), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.String(length=32), nullable=True),
        sa.Column("http_status", sa.Integer(), nullable=True),
        sa.Column("provider_message_id", sa.String(length=255), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("decision", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_attempts"),
        sa.ForeignKeyConstraint(
            ["email_id"], ["outbox.id"], name="fk_attempts_email_id_outbox", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_attempts_email_id", "attempts", ["email_id"])

    op.create_table(
        "email_events",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("email_id", sa.String(length=36), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("type", sa.String(length=32), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("recipient", sa.String(length=320), nullable=True),
        sa.Column("bounce", sa.String(length=16), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_email_events"),
        sa.ForeignKeyConstraint(
            ["email_id"], ["outbox.id"], name="fk_email_events_email_id_outbox", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_email_events_email_id", "email_events", ["email_id"])
    op.create_index("ix_email_events_recipient_at", "email_events", ["recipient", "at"])
    bad = sa.text("bounce = 'hard' OR type = 'complained'")
    op.create_index(
        "ix_email_events_bad", "email_events", ["at"], sqlite_where=bad, postgresql_where=bad
    )

    op.create_table(
        "provider_states",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("open_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("probe_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("asked_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name", name="pk_provider_states"),
    )

    op.create_table(
        "lane_states",
        sa.Column("lane", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resumed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("lane", name="pk_lane_states"),
    )

    op.create_table(
        "suppressions",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("address", sa.String(length=320), nullable=False),
        sa.Column("scope", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("source", sa.String(length=255), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_suppressions"),
        sa.UniqueConstraint("address", "scope", name="uq_suppressions_address"),
    )

    op.create_table(
        "bulk_runs",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("file_hash", sa.String(length=64), nullable=False),
        sa.Column("email", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("rows_total", sa.Integer(), nullable=False),
        sa.Column("rows_stored", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_bulk_runs"),
        sa.UniqueConstraint("file_hash", "email", "number", name="uq_bulk_runs_file_hash"),
    )

    op.create_table(
        "received_events",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("event_id", sa.String(length=255), nullable=False),
        sa.Column("type", sa.String(length=100), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("about", sa.String(length=255), nullable=True),
        sa.Column("email_id", sa.String(length=36), nullable=True),
        sa.Column("provider_message_id", sa.String(length=255), nullable=True),
        sa.Column("waiting_event", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_received_events"),
        sa.UniqueConstraint("source", "event_id", name="uq_received_events_source"),
    )
    op.create_index("ix_received_events_email_id", "received_events", ["email_id"])
    known = sa.text("about IS NOT NULL")
    op.create_index(
        "ix_received_events_about",
        "received_events",
        ["about"],
        sqlite_where=known,
        postgresql_where=known,
    )
    op.create_index(
        "ix_received_events_outcome_received_at", "received_events", ["outcome", "received_at"]
    )

    op.create_table(
        "limit_uses",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("limit_key", sa.String(length=64), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_limit_uses"),
    )
    op.create_index("ix_limit_uses_limit_key_until", "limit_uses", ["limit_key", "until"])
    op.create_index("ix_limit_uses_until", "limit_uses", ["until"])


def _create_partial_indexes() -> None:
    for name, columns, words in (
        ("due", ["host", "lane", "due_at"], "state = 'queued'"),
        ("quarantined", ["host", "due_at"], "state = 'queued' AND quarantined = true"),
        ("leased", ["lease_until"], "state = 'sending'"),
        ("unknown", ["unknown_since"], "state = 'unknown'"),
        ("failed", ["created_at"], "state = 'failed'"),
        ("accepted", ["accepted_at"], "task = 'email' AND accepted_at IS NOT NULL"),
        ("expiring", ["expires_at"], "state = 'queued' AND expires_at IS NOT NULL"),
        ("provider_message_id", ["provider_message_id"], "provider_message_id IS NOT NULL"),
        ("batch_id", ["batch_id"], "batch_id IS NOT NULL"),
    ):
        where = sa.text(words)
        op.create_index(
            f"ix_outbox_{name}", "outbox", columns, sqlite_where=where, postgresql_where=where
        )


def downgrade() -> None:
    for table in (
        "limit_uses",
        "received_events",
        "bulk_runs",
        "suppressions",
        "lane_states",
        "provider_states",
        "email_events",
        "attempts",
        "outbox_bodies",
        "outbox",
        "salts",
        "signups",
        "users",
    ):
        op.drop_table(table)
