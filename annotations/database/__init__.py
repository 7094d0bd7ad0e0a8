"""The label database: schema, connection, event log, counter tables."""
