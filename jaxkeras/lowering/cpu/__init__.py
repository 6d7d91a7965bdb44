"""Forms for XLA:CPU. They run only in programs lowered for the CPU, and call each other with `on("cpu", ...)`."""
