"""Training: data, the loop, checkpoints, metrics, and what a run leaves behind."""
