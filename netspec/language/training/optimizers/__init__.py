"""torch.optim's optimizers: their arguments under torch's names, with its defaults and ranges.

How their steps are computed (`foreach`, `fused`, `capturable`, `differentiable`) is up to the loop.
"""
