"""Benchmarks, one module per figure or table: `run()` measures and returns it, and its docstring defines it."""
