"""`make bench`: what sending costs here, beside the SDKs, Celery and the guide's code.

Each part is a file: `single`, `engine`, `accept`, `idle`, and on request `limits` and `rows`. The
contenders of a part take turns in each round, so that whatever else the machine does hits all of
them; what counts is the median of their ratios. No test asserts a time.
"""
