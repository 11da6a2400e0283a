"""From samples to verdicts: what may be believed, and what it says beside limits, baselines and another bundle."""
