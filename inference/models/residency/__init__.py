"""Which models are on the device: `pool` is what callers see, `plan` decides, the other modules move the weights."""
