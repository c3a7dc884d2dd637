"""From a quantised network to verified firmware and its figures."""
