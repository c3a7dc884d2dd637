"""``python -m l1distill`` is ``l1distill``."""

import sys

from l1distill.cli import main

sys.exit(main())
