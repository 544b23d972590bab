"""Brain-tumour MRI: strip the skull, name the tumour type, outline the tumour."""

import os

# Large tensors on the processor get huge pages, where the system gives them to those who ask: new memory then
# costs a quarter of the time, and making it is most of what loading volumes does. Read by torch when it first
# allocates.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
