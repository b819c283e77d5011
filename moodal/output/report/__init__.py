"""Reports: the view of recordings as one HTML file that needs nothing else."""
