"""`python -m jaxkeras`: see `jaxkeras.cli`."""

import sys

from jaxkeras.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
