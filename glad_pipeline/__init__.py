"""Rows in `prompts` become pictures in an object store and posts on a blog, each exactly once."""
