"""The live explorer: one page that evaluates likelihoods in the reader's browser."""
