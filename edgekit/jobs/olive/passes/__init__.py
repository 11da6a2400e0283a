"""Our own passes and surgeries, one file each; edgekit/passes.py has them by name."""
