"""At home in others' tools: fitters, samplers, pyhf, C."""
