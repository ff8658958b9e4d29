"""Start and stop the exporter process, and change what it tells."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).with_name("exporter.py")


class Exporter:
    """A running exporter; ``tell`` changes its page in one step."""

    def __init__(self, directory: Path) -> None:
        self.page = directory / "page.txt"
        self.tell({})
        self.process, self.url = self._start()

    def _start(self, *port: str) -> tuple[subprocess.Popen[str], str]:
        words = [sys.executable, str(SCRIPT), str(self.page), *port]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        return process, process.stdout.readline().strip()

    def tell(self, devices: dict[int, dict[str, float]]) -> None:
        """Busy in percent, memory in MiB and power in watts of each device, as all-smi would."""
        names = {
            "busy": ("all_smi_gpu_utilization", 1),
            "memory": ("all_smi_gpu_memory_used_bytes", 2**20),
            "power": ("all_smi_gpu_power_consumption_watts", 1),
        }
        lines = [
            f'{names[name][0]}{{gpu="Test card",gpu_uuid="card-{index}",gpu_index="{index}"}} '
            f"{value * names[name][1]}\n"
            for index, told in devices.items()
            for name, value in told.items()
        ]
        fresh = self.page.with_suffix(".new")
        fresh.write_text("".join(lines) or "# nothing\n")
        fresh.replace(self.page)

    def kill(self) -> None:
        """Gone at once."""
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def again(self) -> None:
        """Back at its address."""
        self.process, _url = self._start(self.url.split(":")[2].split("/")[0])
