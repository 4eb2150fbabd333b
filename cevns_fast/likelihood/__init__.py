"""χ²: data, nuisances, parameters, and the object that puts them together."""
