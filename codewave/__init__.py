"""CodeWave's streaming pipeline: what every part of it shares."""
