"""The runs of the campaign: which parts they have, what goes wrong, and what they must show."""

from collections.abc import Mapping

from attrs import field, frozen

from tools.drill.judge import Rules


@frozen(kw_only=True)
class Scenario:
    """One run. `providers` is the chain, each with a simulator of its own, of which `honours_keys`,
    `faults`, `rated` and `latency` (milliseconds) speak. `sick_host` is a second web host, which
    reaches no provider.

    `outage` is what is taken away in place of kills, `most` times at most; `settings` are those of
    the app that differ from other runs, and `rules` what is required.
    """

    name: str
    summary: str
    celery: bool = False
    postgresql: bool = False
    providers: tuple[str, ...] = ("resend",)
    honours_keys: bool = False
    faults: bool = False
    rated: bool = False
    latency: int = 100
    sick_host: bool = False
    outage: str | None = None
    most: int = 1000
    settings: Mapping[str, str] = field(factory=dict)
    rules: Rules

    @property
    def parts(self) -> tuple[str, ...]:
        """The processes, in the order in which they are started."""
        simulators = ("simulator", "standby")[: len(self.providers)]
        brokered = ("valkey", "worker") if self.celery else ()
        return (*simulators, *brokered, "web", *(("sick-web",) if self.sick_host else ()))

    @property
    def victims(self) -> tuple[str, ...]:
        """What is killed or taken away."""
        return (self.outage,) if self.outage else self.parts

    @property
    def simulator_options(self) -> list[str]:
        """The arguments of `python -m tools.simulator`."""
        keys = [] if self.honours_keys else ["--ignore-keys"]
        rates = ["--rates"] if self.rated else []
        faults = ["--fault-500", "0.03", "--fault-429", "0.02", "--fault-drop", "0.02"]
        # An answer takes a while, so that a kill finds calls in flight.
        return ["--latency-ms", str(self.latency), *keys, *rates, *(faults if self.faults else [])]


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
        providers=("sendgrid",),
        faults=True,
        rules=Rules(unknown=True, lost_answers=True),
    ),
    Scenario(
        name="F7",
        summary="threads, SQLite, faults, keys honoured, a chain of two",
        providers=("resend", "sequenzy"),
        honours_keys=True,
        faults=True,
        rules=Rules(lost_answers=True),
    ),
    # So slow a rate that each call has several emails to carry.
    Scenario(
        name="F8",
        summary="threads, PostgreSQL, faults, keys honoured, batches",
        postgresql=True,
        honours_keys=True,
        faults=True,
        settings={"EMAIL_BATCH": "true", "RESEND_RATE": "2/second"},
        rules=Rules(lost_answers=True),
    ),
    Scenario(
        name="F9",
        summary="Celery, PostgreSQL, Valkey, keys honoured, 5 calls a second and a backlog",
        celery=True,
        honours_keys=True,
        rated=True,
        settings={"RESEND_RATE": "5/second"},
        rules=Rules(within_rate=True),
    ),
    # Every answer is known, so without keys too nothing is unknown once the database is back.
    Scenario(
        name="F10",
        summary="threads, PostgreSQL away for 30 s, SendGrid",
        postgresql=True,
        providers=("sendgrid",),
        latency=1000,
        outage="postgresql",
        most=3,
        rules=Rules(),
    ),
    Scenario(
        name="F11",
        summary="threads, PostgreSQL, keys honoured, one of two hosts reaches no provider",
        postgresql=True,
        honours_keys=True,
        sick_host=True,
        rules=Rules(),
    ),
    Scenario(
        name="F12",
        summary="threads, SQLite, a NAT that forgets idle connections, SendGrid",
        providers=("sendgrid",),
        outage="nat",
        most=4,
        rules=Rules(),
    ),
)
