"""Pixels to files and back: PNG and its texts, previews, renditions, gates. Knows no torch and no store."""
