"""From stored picture to published post: the catalogue of images, the blocklist, and the blog's rows.

Knows the `images` table and the blog's own tables; not who draws, where objects live, or how prompts queue.
"""
