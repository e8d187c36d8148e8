"""The runs of the campaign: which parts they have, what goes wrong, and what they must show."""

from attrs import frozen

from tools.drill.judge import Rules


@frozen(kw_only=True)
class Scenario:
    """One run. `honours_keys` and `faults` are the simulator's; `rules` is what is required."""

    name: str
    summary: str
    celery: bool = False
    provider: str = "resend"
    honours_keys: bool = False
    faults: bool = False
    rules: Rules

    @property
    def parts(self) -> tuple[str, ...]:
        """What is killed, in the order in which it is started."""
        brokered = ("valkey", "worker") if self.celery else ()
        return ("simulator", *brokered, "web")

    @property
    def simulator_options(self) -> list[str]:
        """The arguments of `python -m tools.simulator`."""
        keys = [] if self.honours_keys else ["--ignore-keys"]
        faults = ["--fault-500", "0.03", "--fault-429", "0.02", "--fault-drop", "0.02"]
        # An answer takes a while, so that a kill finds calls in flight.
        return ["--latency-ms", "100", *keys, *(faults if self.faults else [])]


SCENARIOS = (
    Scenario(
        name="F1",
        summary="threads, SQLite",
        rules=Rules(duplicates=True),
    ),
    Scenario(
        name="F2",
        summary="threads, SQLite, faults",
        faults=True,
        rules=Rules(duplicates=True, lost_answers=True),
    ),
    Scenario(
        name="F3",
        summary="threads, SQLite, faults, keys honoured",
        honours_keys=True,
        faults=True,
        rules=Rules(lost_answers=True),
    ),
    Scenario(
        name="F4",
        summary="Celery, PostgreSQL, Valkey",
        celery=True,
        rules=Rules(duplicates=True),
    ),
    Scenario(
        name="F5",
        summary="Celery, PostgreSQL, Valkey, faults, keys honoured",
        celery=True,
        honours_keys=True,
        faults=True,
        rules=Rules(lost_answers=True),
    ),
    # SendGrid knows no keys, so the outbox repeats nothing it is unsure of and says `unknown`.
    Scenario(
        name="F6",
        summary="threads, SQLite, faults, SendGrid",
        provider="sendgrid",
        faults=True,
        rules=Rules(unknown=True, lost_answers=True),
    ),
)
