"""Every doorway: they translate and render events; they decide nothing."""
