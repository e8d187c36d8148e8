"""The drill: every way known to hurt the running app, and every email counted.

    python -m tools.drill F1 --seed 7 --emails 300 --kills 8
    python -m tools.drill faults fuzz

F1 to F12 are the campaign: every part is killed at random under load, or taken away. The
simulators' append-only logs are the truth; what our own database says only explains it. `--help`
lists all runs.
"""
