"""The catalogue of operations: one class each, one file a family; `catalogue` finds them by name."""
