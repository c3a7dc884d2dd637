"""From a quantized network to verified firmware and its figures."""
