"""`python -m glad_pipeline.cli`, as the launcher calls it."""

import sys

from glad_pipeline.cli import main

sys.exit(main())
