"""Gold, calibration, adjudication, agreement."""
