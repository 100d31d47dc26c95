"""Rows in `prompts` become pictures in an object store and posts on a blog, each exactly once."""

__version__ = "0.1.0"
