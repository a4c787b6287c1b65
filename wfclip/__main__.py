"""`python -m wfclip` is the command `wfclip`."""
from wfclip.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
