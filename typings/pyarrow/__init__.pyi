# pyarrow is compiled and ships no types, and its published stubs are two major versions behind and refuse right code.
from typing import Any

def __getattr__(name: str) -> Any: ...
