"""What develops and tests the app, and is no part of it: a simulated provider, real servers, runs.

Imports nothing from `tests/`. `simulator/` imports nothing of ours. `demo/`, `drill/` and
`benchmarks/` can be deleted without anything else; the tests of a product need the rest.
"""
