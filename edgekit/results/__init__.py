"""What is measured, as data: the metrics and the limits on them. Low: every room above may read it."""
