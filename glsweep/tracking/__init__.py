"""The record of every run; the only user of MLflow."""
