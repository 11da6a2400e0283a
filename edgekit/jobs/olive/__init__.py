"""The Olive child, and what it brings along for Olive: passes, data, and what it settles afterwards."""
