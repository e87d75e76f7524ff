"""Runs openai_node.mjs against a gateway and checks that its cancel reached the upstream."""
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))
from gateway_harness import Gateway  # noqa: E402

with Gateway() as gateway:
    code = subprocess.call(["node", str(pathlib.Path(__file__).parent / "openai_node.mjs"), str(gateway.port)])
    if code == 0:
        gateway.wait_until(lambda: any("node-cancel" in e["body"] and e["hung_up"] for e in gateway.upstream_log()))
    sys.exit(code)
