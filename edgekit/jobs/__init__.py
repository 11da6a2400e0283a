"""Work done in child processes: the only folder that imports Olive, torch or transformers, one file per job."""
