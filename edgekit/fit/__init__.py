"""Which model on which device: what each target makes of a member, what that takes there, and which to choose."""
