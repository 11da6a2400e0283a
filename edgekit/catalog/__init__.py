"""What edgekit knows beforehand: model cards as data, and their reader."""
