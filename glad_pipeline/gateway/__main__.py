"""`python -m glad_pipeline.gateway`: the gateway in the foreground."""

import gc

gc.disable()  # until all that stays is there (`serving`): looking through it again and again takes 40 ms of a start

from glad_pipeline.gateway.serving import main  # noqa: E402

if __name__ == "__main__":
    main()
