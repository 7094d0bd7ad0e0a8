"""One lock around what must not meet a half-imported transformers.

`datasets` looks into `transformers` when that is in `sys.modules`, also while another thread is still importing it
(seconds), and then fails on a name that is not there yet. So both sides hold this lock.
"""

from threading import RLock

TRANSFORMERS = RLock()
