"""Coverage-guided fuzzing: see `fuzz_protocol`."""
