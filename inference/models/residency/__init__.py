"""Which models occupy the device. `pool` is the public interface, `plan` decides, the other modules move weights."""
