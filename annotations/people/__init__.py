"""Accounts and pseudonyms."""
