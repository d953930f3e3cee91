"""Turns speech into caption events. Independent of Django, sockets and the database."""

import os

NO_TELEMETRY = {"HF_HUB_DISABLE_TELEMETRY": "1", "ORT_DISABLE_TELEMETRY": "1", "PYANNOTE_METRICS_ENABLED": "false"}
"""Settings of libraries that report their use to their makers otherwise. ONNX Runtime begins when it is imported."""

for _name, _value in NO_TELEMETRY.items():
    os.environ.setdefault(_name, _value)
