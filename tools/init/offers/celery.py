"""Celery workers. Delivery by threads stays, and Redis, which counts rate limits."""

from tools.init.offer import Offer

OFFER = Offer(
    name="celery",
    what="delivery by Celery workers",
    takes=("benchmarks", "demo", "drill"),  # all run workers
    paths=(
        "outbox/celery_workers.py",
        "outbox/watching.py",
        "tasks.py",
        "tools/brokers.py",
        "tests/hostile/test_broker.py",
        "tests/outbox/test_tasks.py",
    ),
    definitions={
        "outbox/engine.py": ("Engine._look_for_watched",),
        "outbox/running.py": (
            "TASK",
            "worker_celery",
            "check_pool",
            "count_workers",
            "deliver_soon",
            "_publish",
        ),
        "cli/doctor/delivery.py": ("check_workers",),
        "tests/test_background.py": (
            "test_a_web_process_starts_no_thread_under_celery",
            "test_a_refused_broker_is_logged_once_and_then_left_alone_for_a_while",
            "test_publishing_starts_again_after_the_pause",
        ),
        "tests/commands/test_production.py": (
            "SIGN_UPS",
            "test_200_sign_ups_give_200_welcome_emails_each_once_though_the_worker_is_killed",
            "_states",
        ),
        "tests/commands/test_start.py": (
            "test_a_worker_without_celery_delivery_says_what_to_set",
            "test_a_worker_that_would_fork_says_which_pool_it_needs",
            "test_the_worker_starts_in_a_fresh_clone_and_logs_like_the_web",
        ),
        "tests/outbox/test_reputation.py": (
            "test_a_celery_task_does_not_wait_for_what_waits_for_a_person",
        ),
        "tests/outbox/test_restrictions.py": (
            "test_a_celery_worker_redirects_what_was_queued_before_it_started",
        ),
        "tests/cli/test_bulk.py": ("test_each_commit_tells_the_workers_once_for_each_hundred",),
        "tests/cli/doctor/test_findings.py": (
            "test_celery_without_a_worker_gives_one",
            "test_celery_without_redis_gives_one",
            "test_a_worker_that_runs_answers",
        ),
    },
    edits=(
        (
            ".env.example",
            """# Who does the sending: `thread` (threads of the web process, nothing to install), `celery`
# (workers: celery -A tasks worker --loglevel=info; needs REDIS_URL) or `sync` (in the request).
""",
            "# Who does the sending: `thread` (threads of the web process) or `sync` (in the request).\n",
        ),
        (
            ".env.example",
            "at a time; also the concurrency of a Celery worker.",
            "at a time.",
        ),
        (
            ".env.example",
            "# Broker of the Celery workers, and where rate limits are counted when several processes serve,\n",
            "# Where rate limits are counted when several processes serve,\n",
        ),
        (
            "docs/delivery.md",
            "EMAIL_DELIVERY thread, celery or sync ",
            "EMAIL_DELIVERY thread or sync         ",
        ),
        ("docs/production.md", "worker: celery -A tasks worker --loglevel=info\n", ""),
        ("config.py", 'one_of("thread", "celery", "sync")', 'one_of("thread", "sync")'),
        (
            "config.py",
            """    if values["EMAIL_DELIVERY"] == "celery" and not values["REDIS_URL"]:
        problems.append("REDIS_URL is required for EMAIL_DELIVERY=celery")
""",
            "",
        ),
        (
            "setting_types.py",
            "    # Celery and Flask-Limiter spell sockets differently, so no socket URL suits both.\n",
            "",
        ),
        (
            "requirements.in",
            "celery[redis]>=5.5          # the second delivery mode; redis also stores rate limits",
            "redis>=5.2                  # stores rate limits when several processes serve",
        ),
        ("requirements-dev.in", "celery-types>=0.23          # types of Celery\n", ""),
        (
            "outbox/__init__.py",
            "threads, Celery workers, or the request.\n",
            "threads, or the request.\n",
        ),
        (
            "outbox/running.py",
            "threads of the serving processes, Celery workers, or the request itself.",
            "threads of the serving processes, or the request itself.",
        ),
        ("outbox/running.py", "if TYPE_CHECKING:\n    from celery import Celery\n", ""),
        (
            "outbox/running.py",
            """    if app.config["EMAIL_DELIVERY"] == "celery":
        # Only here: Celery costs 0.4 s to import, and the other modes do not need it.
        from outbox.celery_workers import WakePublisher, make_celery

        celery = make_celery(app)
        app.extensions["celery"] = celery
        app.extensions["wake_publisher"] = WakePublisher(celery, TASK)
""",
            "",
        ),
        (
            "outbox/running.py",
            "def start(app: Flask, *, worker: bool = False, goes_on:",
            "def start(app: Flask, *, goes_on:",
        ),
        (
            "outbox/running.py",
            """housekeeping, once. Web processes leave both to the workers
    under Celery.
""",
            """housekeeping, once.
""",
        ),
        (
            "outbox/running.py",
            'if _engine(app) or (mode == "celery" and not worker):',
            "if _engine(app):",
        ),
        ("outbox/running.py", '    "celery": _publish,\n', ""),
        ("outbox/engine.py", "        self.watches = Watches()\n", ""),
        ("outbox/engine.py", "        self.watches.close()\n", ""),
        (
            "outbox/engine.py",
            "        self.watches.settled({each.row.id: each.outcome.state for each in turn.told if each.held})\n",
            "",
        ),
        ("outbox/engine.py", "        self._look_for_watched()\n", ""),
        (
            "cli/doctor/delivery.py",
            "The parts that deliver: database, queue, Redis, workers, and who",
            "The parts that deliver: database, queue, Redis, and who",
        ),
        ("cli/doctor/delivery.py", "Redis and for an answer of the workers", "Redis"),
        (
            "cli/doctor/delivery.py",
            "is the app (with EMAIL_DELIVERY=celery: a worker) running,",
            "is the app running,",
        ),
        (
            "cli/doctor/examination.py",
            """    redis = check_redis(settings)
    parts = [check_database(), redis, check_workers(settings, redis)]
""",
            "    parts = [check_database(), check_redis(settings)]\n",
        ),
        ("tests/outbox/conftest.py", '("sync", "thread", "celery")', '("sync", "thread")'),
        (
            "tests/outbox/conftest.py",
            """        if mode == "celery":
            valkey: Valkey = request.getfixturevalue("valkey")
            settings["REDIS_URL"] = valkey.url
            log = tmp_path_factory.mktemp("worker") / "log"
            command = ["celery", "-A", "tasks", "worker", "--loglevel=info"]
            worker = stack.enter_context(Process(command, settings, log))
            worker.wait_for_output("ready.")
""",
            "",
        ),
        ("tests/template/test_ladder.py", '    ("tasks",),\n', ""),
        ("tests/template/test_ladder.py", '        ("background", "import tasks"),\n', ""),
        ("tests/template/test_ladder.py", '        ("app", "import tasks as work"),\n', ""),
        (
            "tests/template/test_ladder.py",
            '        ("blueprints", "try:\\n    import tasks\\nexcept ImportError: pass"),\n',
            "",
        ),
        ("tests/test_testing.py", '["sync", "thread", "celery"]', '["sync", "thread"]'),
        ("tests/test_config.py", '        "EMAIL_DELIVERY": "celery",\n', ""),
        ("tests/test_config.py", '            "REDIS_URL",\n', ""),
        (
            "tests/commands/test_production.py",
            '"""gunicorn, a Celery worker, PostgreSQL and Valkey together, with kills and stops in the'
            ' middle."""',
            '"""gunicorn, stopped in the middle."""',
        ),
        (
            "tests/commands/test_start.py",
            """@pytest.mark.parametrize("command", ["flask routes", "celery -A tasks worker --loglevel=info"])
def test_no_command_starts_with_bad_settings(run: StartIn, command: str):
    process = run(command, EMAIL_DELIVERY="celery")
""",
            """def test_no_command_starts_with_bad_settings(run: StartIn):
    process = run("flask routes")
""",
        ),
        ("tests/commands/test_start.py", "The commands of web and worker in", "The commands in"),
        (
            "tests/commands/test_start.py",
            '    assert "REDIS_URL is required" in process.output()\n',
            "",
        ),
    ),
)
