"""Object stores: where pictures are kept, under which key, and at which public URL.

`protocol.py` says what every store promises and `opening.py` opens the one that the settings name; each store is a
module of its own (`s3.py`). Knows bytes, keys and metadata; neither SQL nor torch, and nothing of prompts or posts.
"""
