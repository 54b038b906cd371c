"""How good policies and models are: returns, recorded episodes, model errors and calibration."""
