"""What is measured, one module a figure or table: `run()` measures and returns it, its docstring says what it means."""
