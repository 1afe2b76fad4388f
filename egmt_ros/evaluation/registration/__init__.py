"""How well cameras are registered, and a shifted mount noticed: `egmt evaluate registration`."""
