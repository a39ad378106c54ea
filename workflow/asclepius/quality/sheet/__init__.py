"""The page of quality control, apart: an edit of its template re-runs neither the measures nor the split."""
