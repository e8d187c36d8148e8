"""what became of each email: timeline, subscriber changes, kept events"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "email_events",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("email_id", sa.String(length=36), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("type", sa.String(length=32), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("recipient", sa.String(length=320), nullable=True),
        sa.Column("bounce", sa.String(length=16), nullable=True),
        sa.ForeignKeyConstraint(
            ["email_id"],
            ["outbox.id"],
            name=op.f("fk_email_events_email_id_outbox"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_email_events")),
    )
    with op.batch_alter_table("email_events", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_email_events_email_id"), ["email_id"], unique=False)
        batch_op.create_index("ix_email_events_recipient_at", ["recipient", "at"], unique=False)
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("task", sa.String(length=16), nullable=False, server_default="email")
        )
        batch_op.add_column(sa.Column("origin", sa.String(length=100), nullable=True))
        batch_op.add_column(sa.Column("redacted_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.drop_index("ix_outbox_state_due_at")
        batch_op.create_index(
            "ix_outbox_state_task_due_at", ["state", "task", "due_at"], unique=False
        )
    with op.batch_alter_table("attempts", schema=None) as batch_op:
        batch_op.add_column(sa.Column("decision", sa.Text(), nullable=True))
    with op.batch_alter_table("received_events", schema=None) as batch_op:
        batch_op.add_column(sa.Column("email_id", sa.String(length=36), nullable=True))
        batch_op.add_column(sa.Column("provider_message_id", sa.String(length=255), nullable=True))
        batch_op.add_column(sa.Column("waiting_event", sa.JSON(none_as_null=True), nullable=True))
        batch_op.create_index(batch_op.f("ix_received_events_email_id"), ["email_id"], unique=False)
        batch_op.create_index(
            "ix_received_events_outcome_received_at", ["outcome", "received_at"], unique=False
        )


def downgrade() -> None:
    with op.batch_alter_table("received_events", schema=None) as batch_op:
        batch_op.drop_index("ix_received_events_outcome_received_at")
        batch_op.drop_index(batch_op.f("ix_received_events_email_id"))
        batch_op.drop_column("waiting_event")
        batch_op.drop_column("provider_message_id")
        batch_op.drop_column("email_id")
    with op.batch_alter_table("attempts", schema=None) as batch_op:
        batch_op.drop_column("decision")
    # Subscriber changes have no place in the older table; nothing there could deliver them.
    op.execute("DELETE FROM outbox WHERE task <> 'email'")
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.drop_index("ix_outbox_state_task_due_at")
        batch_op.create_index("ix_outbox_state_due_at", ["state", "due_at"], unique=False)
        batch_op.drop_column("redacted_at")
        batch_op.drop_column("origin")
        batch_op.drop_column("task")
    op.drop_table("email_events")
