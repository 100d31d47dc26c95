"""Warm workers: models that stay loaded between runs, on Ray, on one machine or many.

`cluster` starts and finds Ray, `worker` is what runs in each actor, `pool` is how a run draws with all of them. The
only room that knows Ray; Ray schedules, restarts and moves the bytes. Imported only where workers are used.
"""
