"""Names of parameters as mathematics: letters with what stands below and above them."""

_GREEK = {"chi": "χ", "eps": "ε", "mu": "μ", "tau": "τ", "zprime": "Z′", "nu": "ν"}
Symbol = list[tuple[str, str, str]]

_OTHERS: dict[str, Symbol] = {
    "y_bar": [("ȳ", "", "")],
    "gchi_gq": [("g", "χ", ""), ("g", "q", "")],
    "neutron_radius": [("R", "n", "")],
    "sin2_theta_w": [("sin²θ", "W", "")],
}


def symbol(name: str, description: str = "") -> Symbol:
    """Letters, each with its lower and upper index; of a pair of flavours, what its description begins with.

    Examples
    --------
    >>> symbol("m_chi"), symbol("C_S_u"), symbol("eps_emu_d"), symbol("ee", "q_ee [e]")
    ([('m', 'χ', '')], [('C', 'S', 'u')], [('ε', 'eμ', 'd')], [('q', 'ee', '')])
    """
    if "_" not in name and "_" in description:
        name = description.partition(" [")[0]
    if name in _OTHERS:
        return _OTHERS[name]
    letter, _, rest = name.partition("_")
    low, _, high = rest.partition("_")
    return [(_greek(letter), _greek(low), _greek(high))]


def unit_of(description: str) -> str:
    """The unit that a description ends with in brackets.

    Examples
    --------
    >>> unit_of("⟨r²⟩_ee [cm²]"), unit_of("scalar")
    ('cm²', '')
    """
    _, _, unit = description.partition("[")
    return unit.rstrip("]") if description.endswith("]") else ""


def _greek(word: str) -> str:
    """A letter that is spelled out, or a pair of flavours."""
    for spelled in ("tau", "mu"):
        if word not in _GREEK:
            word = word.replace(spelled, _GREEK[spelled])
    return _GREEK.get(word, word)
