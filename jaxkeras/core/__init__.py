"""The foundation: variables, frames, policies, names, seeds, symbolic tensors. Imports nothing else of jaxkeras."""
