"""`glad doctor`: everything that a deployment needs, tried from end to end; a line each, with the cure.

A check is a function from a `Deployment` to `Diagnosis`es and a line in `checks.py`. Each is bounded in time, and what
goes wrong in one ends none of the others. Nothing here decides how it is shown, and nothing knows Dagster: what
Dagster's own instance says is handed in.
"""
