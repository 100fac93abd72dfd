"""Messages of a relay read and proven by compiled loops: the usual form alone, all else is left to the careful code."""
