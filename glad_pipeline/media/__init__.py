"""Pixels to files and back: PNG and its texts, previews, gates. Knows no torch and no store."""
