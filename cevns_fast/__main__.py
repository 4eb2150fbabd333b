"""``python -m cevns_fast``."""

import sys

from cevns_fast.cli import main

sys.exit(main())
