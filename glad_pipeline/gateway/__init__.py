"""The third door, beside Dagster and the terminal: HTTP for the blog's front end, for programs and for the studio.

What belongs here: routes, what they take and answer, who may call them. It decides nothing: it calls `operations/`,
`pipeline/`, `prompts/` and `publishing/`. Its process loads neither torch nor Dagster.
"""
