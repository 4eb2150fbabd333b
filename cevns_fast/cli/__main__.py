"""``python -m cevns_fast.cli``."""

import sys

from cevns_fast.cli.commands import main

sys.exit(main())
