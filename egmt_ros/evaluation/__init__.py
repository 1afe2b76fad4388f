"""Measuring and showing: metrics, bags, a generated scene, live replay, reports."""
