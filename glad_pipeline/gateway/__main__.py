"""`python -m glad_pipeline.gateway`: the gateway in the foreground."""

from glad_pipeline.gateway.serving import main

if __name__ == "__main__":
    main()
