"""A scripted day through the whole store, real broker and real processes, against an independent computation."""
