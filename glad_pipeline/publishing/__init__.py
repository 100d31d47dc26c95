"""From stored picture to published post: the catalogue of images, the blocklist, and the blog's rows.

Knows the `images` table, the blog's own tables and the form of keys; not who draws, which store has the objects, or how
prompts queue.
"""
