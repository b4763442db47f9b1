"""`instore up`: a store's programs from one file, on one machine or spread over several (row B13)."""
