"""Which PDS hosts exist, who says so, and how one of them is spoken to."""
