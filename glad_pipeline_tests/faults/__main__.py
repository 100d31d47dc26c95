"""`python -m glad_pipeline_tests.faults`: the failpoint matrix, from a terminal."""

from glad_pipeline_tests.faults.matrix import main

main()
