"""What every model needs: the catalogue, files, loading, optimisation, and whose turn it is on the device."""
