"""``python -m fastdl`` is the command ``fastdl``."""

import sys

from fastdl.cli import main

sys.exit(main())
