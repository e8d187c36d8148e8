"""The fault campaign: every part is killed at random under load, and every email is counted.

    python -m tools.drill F1 --seed 7 --emails 300 --kills 8

The simulator's append-only log is the truth; what our own database says only explains it.
"""
