"""Where facts about requests come from: one file for each source, tried in the order of the setting `sources`."""
