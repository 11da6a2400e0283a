"""What leaves the house in files, as data: what a bundle's parts promise each other, every runtime and every app."""
