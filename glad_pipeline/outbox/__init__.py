"""Messages to the site, the CDN and the bucket, and their delivery. A new target begins in `targets.py`."""
