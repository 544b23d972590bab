"""Trained models side by side: runs compared with each other, and a model scored on other data."""
