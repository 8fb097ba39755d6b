"""Where facts about requests come from: one file for each source."""
