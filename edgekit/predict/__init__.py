"""What a model will take before it is built: bytes and seconds from numbers alone. All of it is estimated."""
