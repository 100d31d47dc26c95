"""Object stores: where pictures are kept, under which key, and at which public URL.

Knows bytes, keys and metadata; neither SQL nor torch, and nothing of prompts or posts.
"""
