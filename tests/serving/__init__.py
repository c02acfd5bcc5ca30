"""`pystrix-typed serve`: real processes, real signals, load from other processes."""
