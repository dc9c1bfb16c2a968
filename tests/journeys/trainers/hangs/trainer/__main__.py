"""Never ends by itself."""

import threading

threading.Event().wait()
