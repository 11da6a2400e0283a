"""What is fed to a model while it is calibrated, compared and checked: one dict of arrays a call."""
