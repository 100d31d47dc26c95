"""`glad demo`: prompts of our own, drawn and published, and a page that shows them."""
