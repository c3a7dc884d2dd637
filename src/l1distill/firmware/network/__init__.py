"""A quantized network as plain numbers: what every back end starts from."""
