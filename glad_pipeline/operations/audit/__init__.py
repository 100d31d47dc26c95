"""Bucket and database held against each other: the audit, what mends its findings, and the catalogue's rebuild.

Puts storage, publishing, generation and the queue's table together, from above. Streams: a million objects cost no
more memory than a thousand. Knows nothing of Dagster.
"""
