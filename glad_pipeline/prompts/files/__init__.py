"""Lists of prompts as people have them: CSV, TSV, JSONL, JSON, Parquet and TXT, read and written a record at a time.

`reading` opens a file and chooses; each format is one module with one generator of `Record`s; `detection` finds out
format, encoding and separator; `columns` says which column is which field; `writing` is the way back. Knows files and
their faults, by line. Knows neither SQL nor what a prompt may be (that is `validation`), only which fields there are.
"""
