"""maturin's build backend, with wheels that say which versions of Linux they run on.

maturin says that in `maturin build`, where it looks at what the library needs; called by pip it says "linux" and leaves
it at that, unless it is given the option without a value.
"""

import os

os.environ.setdefault("MATURIN_PEP517_ARGS", "--compatibility")

from maturin import *  # noqa: E402, F403
