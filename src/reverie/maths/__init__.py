"""Equations as plain functions, one home each."""
