"""The bundle: its manifest, and how it is staged, sealed, verified and zipped."""
