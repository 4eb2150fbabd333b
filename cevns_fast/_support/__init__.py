"""What every room uses: files written whole, what is remembered, how objects show themselves, old pickles."""
