"""Asking a person, who may not be there."""

from __future__ import annotations

import getpass
import warnings

from exchange_push_operator.core.errors import SpecError


def ask_at_terminal(prompt: str) -> str:
    """What a person types, unseen.

    Raises: SpecError: there is no terminal; what is typed would be seen, or nobody is there.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", getpass.GetPassWarning)
            return getpass.getpass(prompt)
    except (getpass.GetPassWarning, EOFError, OSError) as error:
        message = "there is no terminal to ask for the password at; give --password-file FILE"
        raise SpecError(message) from error
