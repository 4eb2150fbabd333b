"""``python -m cevns_fast.cli``."""

import sys

from cevns_fast.cli.program import main

sys.exit(main())
