"""A number with its noun: 1 subject, 2 subjects."""


def counted(n: int, noun: str, plural: str | None = None) -> str:
    """The number and the noun as they are said together; `plural` where it is not the noun with an s."""
    return f"{n} {noun if n == 1 else plural or noun + 's'}"


def with_verb(n: int, noun: str, verbs: tuple[str, str]) -> str:
    """The same with its verb, of which there is one for a single thing and one for several."""
    return f"{counted(n, noun)} {verbs[n != 1]}"
