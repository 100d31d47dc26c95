"""Warm workers: models that stay loaded between runs, on Ray, on one machine or many.

`cluster` starts and finds Ray, `worker` is what runs in each actor, `pool` is all of them, `remote` how a run draws
with them, `members` who works, `jobs` their batches, `liveness` what is known of one that is lost. The only room that
knows Ray; Ray schedules, restarts and moves the bytes. Imported only where workers are used.
"""
