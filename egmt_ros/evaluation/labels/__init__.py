"""Quality of entity labels: `egmt evaluate labels`."""
