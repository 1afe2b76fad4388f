"""Quality of fused images: metrics, classical methods, `egmt evaluate pairs`."""
